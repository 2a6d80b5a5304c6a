"""A question is one trace, from its acceptance to its answer, on whichever process each part of it ran."""

import http.client
import json
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from websockets.sync.client import connect

from services.jobs.names import Lane
from tests.integration.collector import Told
from tests.integration.plain_clients import HEAVY, PRIME, RawClient
from tests.integration.processes import freeze, thaw
from tests.integration.stack import Stack
from tests.integration.steps import freeze_child
from tests.integration.tracing.tracing import Traced, ask, draw
from tests.integration.waiting import wait_until
from tests.ports import free_port

WHOLE = "is_prime", "accept", "queue", "compute", "deliver"


def check_order(spans: dict[str, Told], slack: int = 2_000_000) -> None:
    """Each part is within the whole, and begins when its predecessor does or later, but for ns of `slack`: Redis tells ms."""
    root = spans["is_prime"]
    parts = [spans[name] for name in WHOLE[1:]]
    for part in parts:
        assert part.parent == root.id
        assert root.started - slack <= part.started <= part.ended <= root.ended + slack, part
    for former, later in pairwise(parts):
        assert former.started <= later.started + slack, (former, later)


@pytest.mark.parametrize(("number", "lane"), [("97", "quick"), (HEAVY, "heavy")])
def test_a_question_is_one_trace_from_its_acceptance_to_its_answer(traced: Traced, number: str, lane: str) -> None:
    traced.worker()
    traced.wait_ready()
    traceparent, trace = draw()

    assert ask(traced.web0, number, traceparent).status == 200

    spans = traced.collector.wait_for(trace, *WHOLE)
    assert spans.keys() == set(WHOLE)
    assert {name: span.service for name, span in spans.items()} == dict(
        zip(WHOLE, ["primes-web", "primes-web", "primes-worker", "primes-worker", "primes-web"], strict=True)
    )
    root = spans["is_prime"]
    assert root.parent == traceparent.split("-")[2]
    assert (root.attributes["primes.lane"], root.attributes["primes.digits"]) == (lane, len(number))
    assert spans["queue"].attributes["primes.deliveries"] == 1
    check_order(spans)


def test_what_a_killed_worker_held_is_the_same_trace_on_another(traced: Traced) -> None:
    doomed, other = traced.worker("doomed"), traced.worker("other")
    traced.wait_ready()
    freeze(other.pid)
    freeze_child(traced.web0, doomed)
    traceparent, trace = draw()
    with RawClient(traced.web0.url) as plain:
        plain.send("97")  # a question that nobody traces goes the same way
        assert list(plain.messages(1)) == [PRIME]
    request = {"jsonrpc": "2.0", "id": 1, "method": "is_prime", "params": {"number": HEAVY}, "traceparent": traceparent}
    with RawClient(traced.web0.url, subprotocol="primes.v1") as client:
        list(client.messages(1))  # where the session stands
        client.send(json.dumps(request))
        wait_until(lambda: traced.redis.held("doomed", Lane.HEAVY) == 1, "the worker holds the job")
        doomed.kill()
        thaw(other.pid)
        assert json.loads(*client.messages(1))["result"]["verdict"] == "probably_prime"

    spans = traced.collector.wait_for(trace, *WHOLE)
    assert spans["queue"].attributes["primes.deliveries"] == 2
    assert spans["queue"].ended - spans["queue"].started >= 1_000_000_000  # the dead worker's lease
    check_order(spans)
    assert {span.trace for span in traced.collector.spans} == {trace}


def test_one_that_joins_a_run_has_a_whole_trace_that_links_to_the_runs(traced: Traced) -> None:
    worker = traced.worker()
    traced.wait_ready()
    child = freeze_child(traced.web0, worker)
    (first, trace), (second, joined) = draw(), draw()
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask, traced.web0, HEAVY, first)]
        wait_until(lambda: traced.redis.held("worker0", Lane.HEAVY) == 1, "the worker holds the run")
        asked.append(pool.submit(ask, traced.web0, HEAVY, second))
        wait_until(lambda: traced.web0.metric("primes_web_jobs_joined_total", found="joined") == 1, "the second one joins it")
        thaw(child)
        assert [each.result().status for each in asked] == [200, 200]

    run = traced.collector.wait_for(trace, *WHOLE)
    joiner = traced.collector.wait_for(joined, "is_prime", "accept", "compute", "deliver")
    assert (run["accept"].attributes["primes.found"], joiner["accept"].attributes["primes.found"]) == ("nothing", "joined")
    assert (run["compute"].attributes["primes.joined"], joiner["compute"].attributes["primes.joined"]) == (False, True)
    assert joiner["compute"].linked == (trace,)
    assert "queue" not in joiner
    assert run["compute"].attributes["primes.entry"] == joiner["compute"].attributes["primes.entry"]


def test_a_question_that_nobody_waits_for_any_more_ends(traced: Traced) -> None:
    traceparent, trace = draw()
    traced.wait_ready()

    assert ask(traced.web0, "97?timeout=0.1", traceparent).status == 504, "there is no worker"

    spans = traced.collector.wait_for(trace, "is_prime", "accept")
    assert spans["is_prime"].attributes["primes.outcome"] == "left"
    assert spans.keys() == {"is_prime", "accept"}


def test_messages_of_a_socket_have_traces_of_their_own_that_link_to_its_handshake(traced: Traced) -> None:
    all_of_them = traced.web("web1", "--traces", traced.collector.url, "--trace-sample", "1")
    traced.worker()
    traced.wait_ready()
    traceparent, trace = draw()
    with connect(all_of_them.url, additional_headers={"traceparent": traceparent}) as socket:
        for number in ("97", "89"):
            socket.send(number)
            assert socket.recv() == PRIME

    def linked() -> list[Told]:
        return [span for span in traced.collector.spans if span.linked == (trace,)]

    wait_until(lambda: len(linked()) == 2, "both messages are told")
    roots = linked()
    assert len({root.trace for root in roots} | {trace}) == 3
    for root in roots:
        assert root.parent == ""
        check_order(traced.collector.wait_for(root.trace, *WHOLE))


def test_the_latency_names_the_trace_of_the_last_question_in_each_bucket(traced: Traced) -> None:
    traced.worker()
    traced.wait_ready()
    traceparent, trace = draw()
    assert ask(traced.web0, "97", traceparent).status == 200

    def metrics(accept: str) -> tuple[str, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", traced.web0.metrics_port, timeout=10)) as connection:
            connection.request("GET", "/metrics", headers={"Accept": accept})
            response = connection.getresponse()
            return str(response.getheader("Content-Type")), response.read().decode()

    kind, text = metrics("application/openmetrics-text;version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    families = {family.name: family for family in openmetrics.text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    exemplars = [sample.exemplar for sample in families["primes_web_job_seconds"].samples if sample.exemplar]
    assert [exemplar.labels for exemplar in exemplars] == [{"trace_id": trace}]
    kind, text = metrics("*/*")
    assert kind.startswith("text/plain")
    assert trace not in text


def test_a_collector_that_is_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.redis.start()
    nowhere = f"http://127.0.0.1:{free_port()}/v1/traces"
    web = stack.web("web0", "--traces", nowhere, "--trace-sample", "1")
    worker = stack.worker("worker0", "--traces", nowhere)
    try:
        stack.wait_ready()
        with RawClient(web.url) as client:
            for _ in range(1_000):
                client.send("97")
            assert list(client.messages(1_000)) == [PRIME] * 1_000
        for service in (web, worker):
            wait_until(lambda service=service: service.metric("primes_trace_spans_total", outcome="failed"), "some are given up")
        assert web.metric("primes_trace_spans_total", outcome="dropped") > 0, "3,000 spans, of which 2,048 may wait"
        for service in (web, worker):
            service.send(signal.SIGTERM)
            assert service.wait() == 0, service.tail()
    finally:
        stack.close()
