"""Processes of the former release work beside those that trace, while one replaces the other."""

from pathlib import Path

from tests.chaos.rolling import FORMER_RELEASE, check_out
from tests.integration.plain_clients import HEAVY
from tests.integration.processes import ROOT
from tests.integration.stack import Stack
from tests.integration.tracing.tracing import Traced, ask, draw


def test_a_former_worker_answers_what_is_traced(traced: Traced, tmp_path: Path) -> None:
    traced.code = check_out(FORMER_RELEASE, tmp_path / "former")
    Stack.worker(traced)
    traced.wait_ready()
    for number in ("97", HEAVY):
        traceparent, trace = draw()
        assert ask(traced.web0, number, traceparent).status == 200
        spans = traced.collector.wait_for(trace, "is_prime", "accept", "deliver")
        assert spans.keys() == {"is_prime", "accept", "deliver"}


def test_a_worker_that_traces_answers_a_former_web_process(traced: Traced, tmp_path: Path) -> None:
    traced.code = check_out(FORMER_RELEASE, tmp_path / "former")
    web = traced.web("web1")
    traced.code = ROOT
    traced.worker()
    traced.wait_ready()
    for number in ("97", HEAVY):
        traceparent, _ = draw()
        assert ask(web, number, traceparent).status == 200
