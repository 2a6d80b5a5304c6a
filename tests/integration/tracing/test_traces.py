"""A question is one trace, from its acceptance to its answer, on whichever process each part of it ran."""

import http.client
import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from services.jobs.names import Lane
from tests.integration.collector import Collector, Told, collector
from tests.integration.plain_clients import HEAVY, PRIME, RawClient
from tests.integration.processes import freeze, thaw
from tests.integration.stack import Response, Stack, Web, Worker
from tests.integration.steps import freeze_child
from tests.integration.waiting import wait_until

WHOLE = "is_prime", "accept", "queue", "compute", "deliver"


class Traced(Stack):
    """A web process and a worker that trace what they are asked to, and nothing else."""

    def __init__(self, directory: Path, collector: Collector) -> None:
        super().__init__(directory)
        self.collector = collector
        self.redis.start()
        self.web0: Web = self.web("web0", "--traces", collector.url, "--trace-sample", "0")

    def worker(self, name: str = "worker0", *options: str, environment: dict[str, str] | None = None) -> Worker:
        return super().worker(name, "--traces", self.collector.url, "--lease", "1", *options, environment=environment)


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    with collector() as kept:
        stack = Traced(tmp_path, kept)
        yield stack
        stack.close()


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
