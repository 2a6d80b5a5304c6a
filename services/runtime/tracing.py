"""Spans on their way to a collector, by OTLP over HTTP. Only processes that trace import this, and OpenTelemetry with it."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter

from services import VERSION

SPANS = Counter("primes_trace_spans_total", "Spans that ended here, by what became of them", ["outcome"])
_exported, _failed, _dropped = (SPANS.labels(outcome) for outcome in ("exported", "failed", "dropped"))

QUEUE = 2_048  # spans that wait for the collector, some 2 MB; above, new ones are dropped
BATCH = 256  # spans in one request
DELAY = 1_000  # ms that spans wait for others to leave with them
TIMEOUT = 5.0  # seconds for one request and all attempts at it
LAST = 2.0  # seconds that the last spans of a process have to leave: it must not outstay its drain for them

_propagator = TraceContextTextMapPropagator()


def read_context(traceparent: str) -> Context:
    """The context that a W3C traceparent names; an empty one for what is none."""
    return _propagator.extract({"traceparent": traceparent}, Context())


def write_context(context: Context) -> str:
    """The W3C traceparent of a context's span."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, context)
    return carrier["traceparent"]


class _Counting(SpanExporter):
    """What the collector took, and what it did not."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.done = 0  # spans for which nothing more is tried

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; called by the processor's thread alone."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self.done += len(spans)
            (_exported if result is SpanExportResult.SUCCESS else _failed).inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Try no more."""
        self._exporter.shutdown()


class _Bounded(BatchSpanProcessor):
    """The library's queue would let go of the oldest span uncounted, with a line in the log for each."""

    def __init__(self, exporter: _Counting) -> None:
        super().__init__(exporter, max_queue_size=QUEUE, schedule_delay_millis=DELAY, max_export_batch_size=BATCH)
        self._counting = exporter
        self._taken = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Queue it, if there is room; nothing here waits for the collector."""
        if self._taken - self._counting.done >= QUEUE:
            _dropped.inc()
            return
        self._taken += 1
        super().on_end(span)


class Tracing:
    """A process' way to the collector, which may be away, slow or full: a thread waits for it, and the event loop never does."""

    def __init__(self, url: str, role: str, instance: str) -> None:
        """To be made after a process has forked. `url`: of the collector, with its path."""
        named = {"service.name": f"primes-{role}", "service.instance.id": instance, "service.version": VERSION}
        # whoever makes a span has decided that it is kept
        self._provider = TracerProvider(ALWAYS_ON, Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(_Bounded(_Counting(OTLPSpanExporter(url, timeout=TIMEOUT))))
        self.tracer: Tracer = self._provider.get_tracer("primes", VERSION)

    async def close(self) -> None:
        """Send what waits, for LAST seconds at most."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # nobody waits any more, and the loop is closed
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=send, daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), LAST)
