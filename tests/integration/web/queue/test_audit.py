"""The audit, on a real Redis: what left its stream without an answer is written again, in whatever lane it was."""

import asyncio
from collections.abc import Callable

import pytest

from services.broker.client import BrokerClient
from services.broker.connection import connect
from services.broker.pulse import Pulse
from services.jobs.messages import ANYBODY, Answer, Delivery, Fault
from services.jobs.names import Lane
from services.web.ask.question import Question
from services.web.queue.answers import Answers
from services.web.queue.audit import AGE, Audit
from services.web.queue.cleanup import Cleanup
from services.web.queue.commit_delay import CommitDelay
from services.web.queue.enqueue import Enqueue
from services.web.queue.ledger import Entry, Ledger, Place
from services.web.queue.settlement import Settlement
from services.web.queue.writer import Writer
from services.web.settings import WebSettings
from tests.integration.redis_server import RedisServer

BOUND = 30  # seconds that an outcome is waited for
COSTLY = Question("9" * 300)


class NoSessions:
    """What the queue needs of sessions, where there are none."""

    lifetime = 1

    def mark(self, entries: list[Entry], since: Callable[[int], int]) -> tuple[list[str], list[str | int]]:
        return [], []

    def hear(self, deliveries: list[Delivery]) -> None:
        assert not deliveries

    def note(self, token: str, request: str, answer: Answer) -> None:
        raise AssertionError(token)

    def give_up(self, token: str, request: str, fault: Fault) -> None:
        raise AssertionError(token)

    async def touch(self) -> None:
        """Nothing is kept."""

    async def catch_up(self, touched: None) -> None:
        """Nothing was missed."""


async def audit(server: RedisServer, place: Place) -> None:
    """Write a costly job that joins a run at this place, which is gone, and audit until it is in Redis again."""
    access = {"redis_user": "web", "redis_password_file": server.password_file("web")}
    redis = connect(WebSettings.model_validate({"redis_url": f"unix://{server.socket}", **access}))
    sessions, ledger, pulse, cleanup = NoSessions(), Ledger(10), Pulse("web"), Cleanup(redis, "web")
    answers = Answers(ledger, Settlement(ledger, "web"), sessions, cleanup.discard, "web")
    enqueue = Enqueue(BrokerClient(redis), "web", 1_000, sessions)
    writers = {lane: Writer(lane, ledger, enqueue, CommitDelay(0), discard=cleanup.discard, note=answers.note) for lane in Lane}
    ledger.accept(COSTLY, ANYBODY, lambda answer: None)
    (entry,) = entries = ledger.take(Lane.HEAVY)
    ledger.written(Lane.HEAVY, entries, [place])
    entry.written -= AGE
    pulse.hear(b"1")  # a beat after all that was published
    auditing = Audit(redis, ledger, writers, answers, histories=sessions, pulse=pulse)
    running = [asyncio.create_task(run()) for run in (auditing.run, *(writer.run for writer in writers.values()))]
    try:
        async with asyncio.timeout(BOUND):
            while not server.length(Lane.HEAVY):  # noqa: ASYNC110 - Redis sets no event
                await asyncio.sleep(0.01)
    finally:
        for task in running:
            task.cancel()
        await redis.aclose()


@pytest.mark.parametrize("lane", Lane)
def test_a_costly_job_is_written_again_wherever_its_run_was_lost(server: RedisServer, lane: Lane) -> None:
    asyncio.run(audit(server, Place(lane, b"1-0")))
    assert {lane: server.length(lane) for lane in Lane} == {Lane.QUICK: 0, Lane.HEAVY: 1, Lane.PROOF: 0}
