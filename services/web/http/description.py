"""`GET /openapi.yaml`, `GET /asyncapi.yaml`: what clients may say, for machines."""

from functools import cache
from pathlib import Path

from services.web.http.handler import JSONHandler


class Description(JSONHandler):
    """One document, which stands in docs/."""

    def initialize(self, name: str) -> None:
        """The document's file in docs/."""
        self.ROUTE = f"/{name}"
        self._text = _read_description(name)

    def get(self) -> None:
        """The document."""
        self.set_header("Content-Type", "application/yaml")
        self.write(self._text)


@cache
def _read_description(name: str) -> bytes:
    return (Path(__file__).parents[3] / "docs" / name).read_bytes()
