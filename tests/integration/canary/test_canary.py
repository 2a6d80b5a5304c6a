"""The canary asks a real web process, and its metrics tell what came."""

from tests.integration.conftest import Front
from tests.integration.stack import Canary, Stack
from tests.integration.waiting import wait_until
from tests.ports import free_port


def checks(canary: Canary, question: str, outcome: str) -> float:
    return canary.metric("primes_canary_checks_total", question=question, outcome=outcome)


def test_right_answers_are_counted_and_timed(manned: Front) -> None:
    canary = manned.canary(manned.web0.url)
    wait_until(lambda: canary.metric("primes_canary_seconds_count") >= 3, "three rounds are over")
    for question in ("prime", "composite"):
        assert checks(canary, question, "right") >= 3
        assert checks(canary, question, "wrong") == checks(canary, question, "none") == 0


def test_answers_that_do_not_come_are_counted_and_not_timed(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web()
    stack.wait_ready(web)
    canary = stack.canary(web.url, "--canary-timeout", "0.2")
    wait_until(lambda: checks(canary, "prime", "none") >= 2, "two rounds are over")
    assert canary.metric("primes_canary_seconds_count") == 0


def test_a_closed_port_is_no_answer(stack: Stack) -> None:
    canary = stack.canary(f"ws://127.0.0.1:{free_port()}/chatsocket")
    wait_until(lambda: checks(canary, "composite", "none") >= 2, "two rounds are over")
    assert "refused" in canary.tail()


def test_it_ends_when_it_is_told_to(stack: Stack) -> None:
    canary = stack.canary(f"ws://127.0.0.1:{free_port()}/chatsocket")
    stack.wait_ready(canary)
    canary.send(15)
    assert canary.wait() == 0
