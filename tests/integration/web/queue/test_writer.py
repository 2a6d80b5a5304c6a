"""The writer, on a real Redis: one turn for a lone job, few entries for many."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from services.broker.client import BrokerClient
from services.broker.connection import connect
from services.jobs import names
from services.jobs.messages import ANYBODY, Answer
from services.jobs.names import Lane
from services.web.ask.question import Question
from services.web.queue.cleanup import Cleanup
from services.web.queue.commit_delay import CommitDelay
from services.web.queue.enqueue import Enqueue
from services.web.queue.ledger import Entry, Ledger
from services.web.queue.writer import Writer
from services.web.settings import WebSettings
from tests.integration.redis_server import RedisServer

BOUND = 30  # seconds that an outcome is waited for


class CountingLedger(Ledger):
    """A ledger that keeps the size of each write that is taken from it."""

    def __init__(self) -> None:
        super().__init__(1_000)
        self.taken: list[int] = []  # jobs

    def take(self, lane: Lane) -> list[Entry]:
        entries = super().take(lane)
        self.taken.append(sum(len(entry.jobs) for entry in entries))
        return entries


class NoSessions:
    """Clients without sessions, which leave no marks."""

    lifetime = 1

    def mark(self, entries: list[Entry], since: Callable[[int], int]) -> tuple[list[str], list[str | int]]:
        return [], []


def settings(server: RedisServer) -> WebSettings:
    password = server.password_file("web")
    return WebSettings.model_validate(
        {"redis_url": f"unix://{server.socket}", "redis_user": "web", "redis_password_file": password}
    )


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that the writer brings about."""
    async with asyncio.timeout(BOUND):
        while not condition():  # noqa: ASYNC110 - what is looked at is the writer's own, which sets no event for it
            await asyncio.sleep(0)


async def written(ledger: Ledger, jobs: int) -> None:
    """Until Redis has so many jobs."""
    await until(lambda: sum(len(entry.jobs) for entry in ledger.lanes[Lane.QUICK].entries) == jobs)


def write(server: RedisServer, scenario: Callable[[CountingLedger, Writer], Coroutine[Any, Any, None]]) -> list[int]:
    """Run the scenario beside a writer of the quick lane; returns the sizes of its turns."""

    async def play() -> list[int]:
        ledger, redis = CountingLedger(), connect(settings(server))
        enqueue = Enqueue(BrokerClient(redis), "web", 1_000, NoSessions())
        cleanup = Cleanup(redis, "web")
        writer = Writer(Lane.QUICK, ledger, enqueue, CommitDelay(0), discard=cleanup.discard, note=lambda job, answer: None)
        running = asyncio.create_task(writer.run())
        try:
            await scenario(ledger, writer)
            for _ in range(10):  # turns of the loop in which a second write could begin
                await asyncio.sleep(0)
        finally:
            running.cancel()
            await redis.aclose()
        return ledger.taken

    return asyncio.run(play())


def accept(ledger: Ledger, jobs: int) -> None:
    def answered(answer: Answer) -> None:
        """Nobody waits."""

    for _ in range(jobs):
        ledger.accept(Question("97"), ANYBODY, answered)


def test_a_lone_job_is_one_turn(server: RedisServer) -> None:
    async def scenario(ledger: CountingLedger, writer: Writer) -> None:
        for jobs in (1, 2):
            accept(ledger, 1)
            writer.wake()
            await written(ledger, jobs)

    assert write(server, scenario) == [1, 1]
    assert server.length(Lane.QUICK) == 2


def test_what_comes_during_a_write_is_of_the_next(server: RedisServer) -> None:
    async def scenario(ledger: CountingLedger, writer: Writer) -> None:
        accept(ledger, 1)
        writer.wake()
        await until(lambda: ledger.taken)
        accept(ledger, 3)
        writer.wake()
        await written(ledger, 4)

    assert write(server, scenario) == [1, 3]


def test_a_wake_for_a_job_that_is_no_longer_wanted_writes_nothing(server: RedisServer) -> None:
    async def scenario(ledger: CountingLedger, writer: Writer) -> None:
        accept(ledger, 1)
        ledger.cancel([1])
        writer.wake()
        await until(lambda: ledger.taken)
        accept(ledger, 1)
        writer.wake()
        await written(ledger, 1)

    assert write(server, scenario) == [0, 1]
    assert server.admin.keys("*") == [names.stream(Lane.QUICK).encode()]


def test_after_a_failed_write_the_jobs_go_out_again(server: RedisServer) -> None:
    async def scenario(ledger: CountingLedger, writer: Writer) -> None:
        server.stop()
        accept(ledger, 2)
        writer.wake()
        await until(lambda: ledger.taken)
        await asyncio.to_thread(server.start)
        await written(ledger, 2)

    taken = write(server, scenario)
    assert len(taken) > 1 and set(taken) == {2}
