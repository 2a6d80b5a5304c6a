"""A collector that keeps the spans that it is sent, by OTLP over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from tests.integration.waiting import wait_until


@dataclass(frozen=True)
class Told:
    """One span; ids are hexadecimal, times in ns since 1970."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    started: int
    ended: int
    attributes: dict[str, str | int | bool]
    linked: tuple[str, ...]  # traces that it links to
    failed: bool


class Collector:
    """What came so far."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/traces"
        self.spans: list[Told] = []

    def trace(self, id: str) -> dict[str, Told]:
        """The spans of a trace by name; the last one of a name."""
        return {span.name: span for span in self.spans if span.trace == id}

    def wait_for(self, id: str, *names: str) -> dict[str, Told]:
        """The spans of a trace, once it has these."""
        return wait_until(lambda: found if (found := self.trace(id)).keys() >= set(names) else {}, f"{id} has {names}")

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep them."""
        for resource in request.resource_spans:
            service = next(each.value.string_value for each in resource.resource.attributes if each.key == "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes}
                    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                    linked = tuple(link.trace_id.hex() for link in span.links)
                    times = span.start_time_unix_nano, span.end_time_unix_nano
                    self.spans.append(Told(service, span.name, *ids, *times, attributes, linked, span.status.code == 2))


@contextmanager
def collector() -> Iterator[Collector]:
    """One that listens until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            kept.take(request)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            """The test says what it wants to know."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Collector(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
