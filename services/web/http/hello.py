"""`GET /`: a greeting."""

from services.web.http.handler import JSONHandler


class Hello(JSONHandler):
    """`GET /` of a web process without nginx in front; behind nginx the page of the same heading stands there."""

    ROUTE = "/"

    def get(self) -> None:
        """Greet."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write("Hello, world\n")
