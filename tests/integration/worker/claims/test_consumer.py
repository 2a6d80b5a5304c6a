"""A worker's part in the consumer group, against Redis alone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import NoScriptError, TimeoutError

from services.broker.connection import connect
from services.jobs import messages, names
from services.jobs.messages import Answer, Job, Verdict
from services.jobs.names import Lane
from services.runtime.settings import Settings
from services.worker.claims.consumer import Consumer
from tests.integration.processes import frozen
from tests.integration.redis_server import RedisServer
from tests.integration.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.close()


def settings(server: RedisServer) -> Settings:
    access = {"redis_user": "worker", "redis_password_file": server.password_file("worker")}
    return Settings(redis_url=f"unix://{server.socket}", redis_timeout=0.5, **access, _cli_parse_args=[])


def test_entries_whose_claim_was_given_to_a_lost_connection_are_found_by_the_next_read(server: RedisServer) -> None:
    """Redis gets the request, and answers when nobody listens any more."""
    jobs = [Job(n, str(n)) for n in (1, 2, 3)]
    for job in jobs:
        server.admin.xadd(names.stream(Lane.HEAVY), {"reply": "web", "jobs": messages.encode([job])})
    server.admin.xgroup_create(names.stream(Lane.HEAVY), names.GROUP, id="0")
    redis = connect(settings(server))
    consumer = Consumer(redis, "worker-1", lease=600)

    async def read() -> list[Job]:
        return [job for claim in await consumer.read(Lane.HEAVY, 1, set()) for job in claim.jobs]

    async def fail() -> None:
        assert server.program
        with frozen(server.program.pid), pytest.raises(TimeoutError):
            await read()
        await asyncio.to_thread(wait_until, lambda: server.held("worker", Lane.HEAVY) == 1, "Redis gave the entry away")

    async def scenario() -> None:
        await redis.ping()  # connected, so that the request reaches the socket
        await fail()
        held = await consumer.read(Lane.HEAVY, 1, set())
        assert held[0].jobs == jobs[:1]
        assert [await consumer.read(Lane.HEAVY, 1, {held[0].id}) for _ in range(3)][2] == []  # no entry is read twice
        assert server.held("worker", Lane.HEAVY) == 3

    asyncio.run(scenario())


def add(server: RedisServer, job: Job) -> bytes:
    entry: bytes = server.admin.xadd(names.stream(Lane.QUICK), {"reply": "web", "jobs": messages.encode([job])})
    return entry


def blocked(server: RedisServer) -> int:
    return int(server.admin.info("clients")["blocked_clients"])


def test_an_entry_wakes_one_worker_that_waits_and_no_other(server: RedisServer) -> None:
    redis = connect(settings(server))
    consumers = [Consumer(redis, name, lease=600) for name in ("worker-1", "worker-2")]

    async def scenario() -> None:
        assert await consumers[0].wait(8, set()) == []  # it made the group
        waiting = [asyncio.ensure_future(consumer.wait(8, set())) for consumer in consumers]
        await asyncio.to_thread(wait_until, lambda: blocked(server) == 2, "both wait")
        add(server, Job(1, "97"))
        assert sorted(len(claims) for claims in await asyncio.gather(*waiting)) == [0, 1]

    asyncio.run(scenario())


def test_a_stream_that_goes_while_a_worker_waits_is_made_again(server: RedisServer) -> None:
    consumer = Consumer(connect(settings(server)), "worker-1", lease=600)

    async def scenario() -> None:
        assert await consumer.wait(8, set()) == []
        waiting = asyncio.ensure_future(consumer.wait(8, set()))
        await asyncio.to_thread(wait_until, lambda: blocked(server) == 1, "it waits")
        server.admin.flushall()
        add(server, Job(1, "97"))
        claims = [*await waiting, *await consumer.wait(8, set())]
        assert [claim.jobs for claim in claims] == [[Job(1, "97")]]

    asyncio.run(scenario())


def test_entries_given_to_a_connection_that_was_lost_are_found_by_the_next_wait(server: RedisServer) -> None:
    consumer = Consumer(connect(settings(server)), "worker-1", lease=600)

    async def scenario() -> None:
        assert await consumer.wait(8, set()) == []
        add(server, Job(1, "97"))
        assert server.program
        with frozen(server.program.pid), pytest.raises(TimeoutError):
            await consumer.wait(8, set())
        await asyncio.to_thread(wait_until, lambda: server.held("worker", Lane.QUICK) == 1, "Redis gave the entry away")
        assert [claim.jobs for claim in await consumer.wait(8, set())] == [[Job(1, "97")]]

    asyncio.run(scenario())


@pytest.mark.parametrize("session", ["", "a-session"])
def test_answers_leave_before_the_next_read_waits(server: RedisServer, session: str) -> None:
    consumer = Consumer(connect(settings(server)), "worker-1", lease=600)
    job = Job(1, "97", session=session, request="7" if session else "")
    answers = [[Answer(1, Verdict.PRIME)]]

    async def scenario() -> None:
        assert await consumer.wait(8, set()) == []
        add(server, job)
        claims = await consumer.wait(8, set())
        if session:  # Redis does not have the script yet; then the step is taken again, as whoever calls does
            with pytest.raises(NoScriptError):
                await consumer.send_finish(claims, answers)
            await consumer.finish(claims, answers)
            add(server, job)
            claims = await consumer.wait(8, set())
        sent = consumer.send_finish(claims, answers)
        waiting = asyncio.ensure_future(consumer.wait(8, set()))
        await sent
        assert server.length(Lane.QUICK) == 0
        assert not waiting.done()
        await waiting

    asyncio.run(scenario())
