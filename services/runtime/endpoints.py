"""What operators and their machines ask of every process: /metrics, /healthz, /readyz, on a port of its own."""

from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import REGISTRY, Gauge
from prometheus_client.exposition import choose_encoder
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler, url

from services import VERSION

BUILD = Gauge("primes_build_info", "1; the labels say what runs", ["version", "role"])

MOST_HEADERS = 131_072  # bytes; nginx lets 66 KB pass (nginx/conf/limits.conf) and adds less than one

Ready = Callable[[], str]  # what keeps the process from being ready; empty if nothing does


class ReadOnly(RequestHandler):
    """Answers GET and HEAD, and says so to whoever tries another method."""

    SUPPORTED_METHODS = ("HEAD", "GET")

    def head(self, *arguments: str) -> Awaitable[None] | None:
        """What GET answers, whose body Tornado counts and leaves out."""
        return self.get(*arguments)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tornado's page."""
        if status_code == 405:
            self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        super().write_error(status_code, **kwargs)


class Metrics(ReadOnly):
    """All metrics of this process."""

    def initialize(self, exemplars: bool) -> None:
        """`exemplars`: whether there are some to be told to who asks for OpenMetrics; the text format has no word for them."""
        self._exemplars = exemplars

    def get(self) -> None:
        """In the text format of Prometheus, or in OpenMetrics."""
        accepted = self.request.headers.get("Accept", "") if self._exemplars else ""
        encode, content_type = choose_encoder(accepted)
        self.set_header("Content-Type", content_type)
        self.write(encode(REGISTRY))


class Health(ReadOnly):
    """Liveness: the event loop answers."""

    def get(self) -> None:
        """Always 200."""
        self.write({"status": "alive"})


class Readiness(ReadOnly):
    """Readiness: the process can do its work now."""

    def initialize(self, ready: Ready) -> None:
        """`ready` is asked at each request."""
        self._ready = ready

    def get(self) -> None:
        """200, or 503 with the reason."""
        obstacle = self._ready()
        if obstacle:
            self.set_status(503)
        self.write({"status": obstacle or "ready"})


def health_routes(ready: Ready) -> list[Any]:
    """Routes that a load balancer asks."""
    return [url(r"/healthz", Health), url(r"/readyz", Readiness, {"ready": ready})]


def serve(
    port: int, address: str, role: str, ready: Ready, *more: Any, behind_proxy: bool = False, exemplars: bool = False
) -> HTTPServer:
    """Listen for operators, with `more` routes of this role; `behind_proxy`: X-Real-IP is believed; `exemplars`: see `Metrics`.

    Raises OSError if it cannot.
    """
    BUILD.labels(VERSION, role).set(1)
    application = Application(
        [url(r"/metrics", Metrics, {"exemplars": exemplars}), *health_routes(ready), *more], log_function=lambda handler: None
    )
    return application.listen(port, address, xheaders=behind_proxy, max_header_size=MOST_HEADERS)
