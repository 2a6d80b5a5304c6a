"""The canary asks a real web process, and its metrics tell what came."""

import pytest

from services.jobs.names import Lane
from tests.integration.conftest import Front
from tests.integration.processes import frozen
from tests.integration.stack import Canary, Stack, Worker
from tests.integration.steps import warm
from tests.integration.waiting import wait_until
from tests.ports import free_port

PATIENT = ("--canary-timeout", "30")  # seconds: none is missed for a busy machine


def checks(canary: Canary, outcome: str, **labels: str) -> float:
    return canary.metric("primes_canary_checks_total", outcome=outcome, **labels)


def answered(worker: Worker, lane: Lane) -> float:
    return worker.metric("primes_worker_jobs_total", lane=lane)


@pytest.mark.parametrize(
    ("lane", "question"), [(Lane.QUICK, "prime"), (Lane.QUICK, "composite"), (Lane.HEAVY, "composite"), (Lane.PROOF, "prime")]
)
def test_right_answers_are_counted_and_timed_in_each_lane(manned: Front, lane: Lane, question: str) -> None:
    before = answered(manned.worker0, lane)
    canary = manned.canary(manned.web0.url, *PATIENT, "--canary-costly-timeout", "30")
    wait_until(lambda: canary.metric("primes_canary_seconds_count", lane=lane) >= 3, "three rounds are over")
    assert checks(canary, "right", lane=lane, question=question) >= 3
    # computed, not kept from the time before; the worker counts an answer when it has sent it, and the canary may hear it sooner
    wait_until(lambda: answered(manned.worker0, lane) >= before + 3, "the worker counts what it answered")
    assert checks(canary, "wrong") == checks(canary, "none") == checks(canary, "waits") == 0
    manned.end(canary)  # with it the jobs end


def test_a_child_that_stands_still_costs_the_costly_answers_alone_and_the_log_says_why(front: Front) -> None:
    worker = front.worker()
    front.wait_ready()
    with frozen(warm(front.web0, worker)):
        canary = front.canary(front.web0.url, *PATIENT, "--canary-costly-timeout", "6")  # progress is told after 4 s at most
        wait_until(lambda: checks(canary, "waits", lane="heavy") >= 1, "the costly question has no answer")
    assert checks(canary, "right", lane="quick") >= 2
    assert checks(canary, "none", lane="quick") == checks(canary, "waits", lane="quick") == 0
    assert "heavy lane: not all answers came within 6 s; composite is " in canary.tail()
    wait_until(lambda: checks(canary, "right", lane="heavy") >= 1, "the lane answers again, by another child")
    front.end(canary)  # with it the jobs end


def test_answers_that_do_not_come_are_counted_and_not_timed(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web()
    stack.wait_ready(web)
    canary = stack.canary(web.url, "--canary-timeout", "0.2")
    wait_until(lambda: checks(canary, "none", lane="quick", question="prime") >= 2, "two rounds are over")
    assert canary.metric("primes_canary_seconds_count") == 0


def test_a_closed_port_is_no_answer(stack: Stack) -> None:
    canary = stack.canary(f"ws://127.0.0.1:{free_port()}/chatsocket")
    for lane in Lane:
        wait_until(lambda: checks(canary, "none", lane=lane) >= 2, f"two rounds are over in the {lane} lane")  # noqa: B023  # in this very turn
    assert "refused" in canary.tail()


def test_it_ends_when_it_is_told_to(stack: Stack) -> None:
    canary = stack.canary(f"ws://127.0.0.1:{free_port()}/chatsocket")
    stack.wait_ready(canary)
    canary.send(15)
    assert canary.wait() == 0
