"""A stack that traces, and questions that are a part of a trace."""

import http.client
import secrets
from contextlib import closing
from pathlib import Path

from tests.integration.collector import Collector
from tests.integration.stack import Response, Stack, Web, Worker


class Traced(Stack):
    """A web process and a worker that trace what they are asked to, and nothing else."""

    def __init__(self, directory: Path, collector: Collector) -> None:
        super().__init__(directory)
        self.collector = collector
        self.redis.start()
        self.web0: Web = self.web("web0", "--traces", collector.url, "--trace-sample", "0")

    def worker(self, name: str = "worker0", *options: str, environment: dict[str, str] | None = None) -> Worker:
        return super().worker(name, "--traces", self.collector.url, "--lease", "1", *options, environment=environment)


def draw() -> tuple[str, str]:
    """A client's traceparent, and its trace."""
    trace = secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-01", trace


def ask(web: Web, number: str, traceparent: str) -> Response:
    """A request of HTTP that is a part of a trace."""
    with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)) as connection:
        connection.request("GET", f"/primes/{number}", headers={"traceparent": traceparent})
        response = connection.getresponse()
        return Response(response.status, dict(response.headers), response.read())
