"""Spans that a test makes and reads, without a collector."""

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SAMPLED, NOT_SAMPLED = (f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flag}" for flag in ("01", "00"))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Kept:
    """A tracer, and the spans that it ended."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.tracer = provider.get_tracer("test")

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._spans.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def __getitem__(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found


def trace_id(span: ReadableSpan) -> str:
    """Hexadecimal."""
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}"
