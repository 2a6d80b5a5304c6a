"""Spans leave by a thread, from a bounded queue; a collector that is away or slow keeps nobody waiting and is counted."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import get_current_span, set_span_in_context

from services.runtime import tracing
from services.runtime.tracing import SPANS, Tracing, read_context, write_context
from tests.integration.processes import ROOT
from tests.unit.spans import SAMPLED, TRACE, Kept

BOUND = 30  # seconds that a thread is waited for


@pytest.fixture(autouse=True)
def ended_threads() -> Iterator[None]:
    """A thread that still tries to reach its collector would write into the log of a later test."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(BOUND)
        assert not thread.is_alive(), thread


class Held(SpanExporter):
    """A collector that does not answer before it is let."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.began, self.let = threading.Event(), threading.Event()
        self.taken: list[int] = []  # spans of each request
        self._result = result

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.began.set()
        assert self.let.wait(BOUND)
        self.taken.append(len(spans))
        return self._result

    def shutdown(self) -> None: ...


def counted() -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for metric in SPANS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


def since(before: dict[str, float]) -> dict[str, float]:
    return {outcome: value - before[outcome] for outcome, value in counted().items() if value != before[outcome]}


def test_a_context_goes_as_text_and_comes_back() -> None:
    span = get_current_span(read_context(SAMPLED)).get_span_context()
    assert (f"{span.trace_id:032x}", span.is_remote, span.trace_flags.sampled) == (TRACE, True, True)
    assert write_context(read_context(SAMPLED)) == SAMPLED
    own = Kept().tracer.start_span("own")
    assert write_context(set_span_in_context(own)).split("-")[2] == f"{own.get_span_context().span_id:016x}"


@pytest.mark.parametrize(("result", "outcome"), [(SpanExportResult.SUCCESS, "exported"), (SpanExportResult.FAILURE, "failed")])
def test_more_than_the_queue_holds_is_dropped_at_once_and_counted(
    result: SpanExportResult, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "QUEUE", 8)
    monkeypatch.setattr(tracing, "BATCH", 4)
    held, provider, before = Held(result), TracerProvider(), counted()
    provider.add_span_processor(tracing._Bounded(tracing._Counting(held)))
    tracer = provider.get_tracer("test")

    for _ in range(20):
        tracer.start_span("one").end()
    assert held.began.wait(BOUND)
    assert since(before) == {"dropped": 12}, "while the collector is silent"

    held.let.set()
    provider.shutdown()
    assert sum(held.taken) == 8
    assert since(before) == {"dropped": 12, outcome: 8}


def test_a_collector_that_raises_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Held):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise ValueError("no collector of ours")

    provider, before = TracerProvider(), counted()
    provider.add_span_processor(tracing._Bounded(tracing._Counting(Broken())))
    provider.get_tracer("test").start_span("one").end()
    provider.shutdown()
    assert since(before) == {"failed": 1}


@pytest.mark.parametrize("listens", [False, True], ids=["nobody listens", "it accepts and says nothing"])
def test_a_process_ends_though_its_collector_is_away_or_silent(listens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "LAST", 0.1)
    monkeypatch.setattr(tracing, "TIMEOUT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as collector:
        port = collector.getsockname()[1]
        if not listens:
            collector.close()
        to_nobody = Tracing(f"http://127.0.0.1:{port}/v1/traces", "test", "test0")
        to_nobody.tracer.start_span("one").end()
        asyncio.run(asyncio.wait_for(to_nobody.close(), BOUND))


MAKING = """
import asyncio, sys
if {hidden}:
    sys.modules["opentelemetry"] = None
from services.web.__main__ import Web
from services.web.settings import WebSettings
from services.worker.settings import WorkerSettings
from services.worker.worker import Worker

async def make():
    Web(WebSettings(traces={url!r})).application()
    Worker(WorkerSettings(traces={url!r}))

asyncio.run(make())
ours = "services.runtime.tracing", "services.web.tracing.traces", "services.worker.tracing.spans"
theirs = "opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf", "requests"
print(len(sys.modules.keys() & {{*ours, *theirs}}))
"""
URL = "http://127.0.0.1:9/v1/traces"


def make(url: str, *, hidden: bool = False) -> "subprocess.CompletedProcess[str]":
    """A web process and a worker are made; `hidden`: as if OpenTelemetry were not installed."""
    program = MAKING.format(url=url, hidden=hidden)
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("url", "hidden", "imported"), [("", False, 0), ("", True, 0), (URL, False, 7)])
def test_what_is_off_is_not_imported_and_need_not_be_there(url: str, hidden: bool, imported: int) -> None:
    done = make(url, hidden=hidden)
    assert (done.returncode, done.stdout.strip()) == (0, str(imported)), done.stderr


def test_a_process_that_shall_trace_and_cannot_says_what_is_missing() -> None:
    done = make(URL, hidden=True)
    assert done.returncode == 2
    assert "--traces (PRIMES_TRACES): Expected an image that was built with TRACING=true" in done.stderr
    assert "Traceback" not in done.stderr
