"""New entries of a consumer group, against Redis alone: none is lost with a connection, none wakes two workers."""

import asyncio

import pytest
from redis.exceptions import TimeoutError

from services.broker.client import BrokerClient
from services.jobs import messages, names
from services.jobs.messages import Job
from services.jobs.names import Lane
from services.worker.claims import reader as module
from services.worker.claims.claim import Claim, jobs_of
from services.worker.claims.opening import Opening
from services.worker.claims.reader import CLAIM, Reader
from tests.integration.processes import frozen
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer
from tests.integration.waiting import eventually

TIMEOUT = 3.0  # seconds that are passed where Redis stands still, and that a busy machine keeps elsewhere
PATIENT = 30.0  # seconds that a read waits which must not end before an entry comes


def reader(server: RedisServer, name: str = "worker-1") -> Reader:
    redis = connected(server, redis_timeout=TIMEOUT)
    return Reader(redis, BrokerClient(redis), name, Opening(redis, name))


def jobs(claims: list[Claim]) -> list[Job]:
    return [job for claim in claims for job in jobs_of(claim)]


def test_entries_whose_claim_was_given_to_a_lost_connection_are_found_by_the_next_read(server: RedisServer) -> None:
    """Redis gets the request, and answers when nobody listens any more."""
    three = [Job(n, str(n)) for n in (1, 2, 3)]
    for job in three:
        server.admin.xadd(names.stream(Lane.HEAVY), {"reply": "web", "jobs": messages.encode([job])})
    server.admin.xgroup_create(names.stream(Lane.HEAVY), names.GROUP, id="0")
    redis = connected(server, redis_timeout=TIMEOUT)
    mine = Reader(redis, BrokerClient(redis), "worker-1", Opening(redis, "worker-1"))

    async def fail() -> None:
        assert server.program
        with frozen(server.program.pid), pytest.raises(TimeoutError):
            await mine.take(Lane.HEAVY, set(), sweeping=False)
        await eventually(lambda: server.held("worker", Lane.HEAVY) == 1, "Redis gave the entry away")

    async def scenario() -> None:
        await redis.ping()  # connected, so that the request reaches the socket
        server.admin.script_load(CLAIM.source)
        await fail()
        held: list[Claim] = []
        while (claim := await mine.take(Lane.HEAVY, {each.id for each in held}, sweeping=False)) is not None:
            held.append(claim)
        assert jobs(held) == three  # each once
        assert server.held("worker", Lane.HEAVY) == 3

    asyncio.run(scenario())


def add(server: RedisServer, job: Job) -> bytes:
    entry: bytes = server.admin.xadd(names.stream(Lane.QUICK), {"reply": "web", "jobs": messages.encode([job])})
    return entry


def blocked(server: RedisServer) -> int:
    return int(server.admin.info("clients")["blocked_clients"])


def test_an_entry_wakes_one_worker_that_waits_and_no_other(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", PATIENT)
    readers = [reader(server, name) for name in ("worker-1", "worker-2")]

    async def scenario() -> None:
        assert await readers[0].wait(8, set()) == []  # it made the group
        waiting = [asyncio.ensure_future(each.wait(8, set())) for each in readers]
        await eventually(lambda: blocked(server) == 2, "both wait")
        add(server, Job(1, "97"))
        woken, (other,) = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [jobs(task.result()) for task in woken] == [[Job(1, "97")]]
        assert blocked(server) == 1
        add(server, Job(2, "91"))
        assert jobs(await other) == [Job(2, "91")]

    asyncio.run(scenario())


def test_a_stream_that_goes_while_a_worker_waits_is_made_again(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", PATIENT)
    mine = reader(server)

    async def scenario() -> None:
        assert await mine.wait(8, set()) == []
        waiting = asyncio.ensure_future(mine.wait(8, set()))
        await eventually(lambda: blocked(server) == 1, "it waits")
        server.admin.flushall()
        add(server, Job(1, "97"))
        claims = [*await waiting, *await mine.wait(8, set())]
        assert jobs(claims) == [Job(1, "97")]

    asyncio.run(scenario())


def test_entries_given_to_a_connection_that_was_lost_are_found_by_the_next_wait(server: RedisServer) -> None:
    mine = reader(server)

    async def scenario() -> None:
        assert await mine.wait(8, set()) == []
        add(server, Job(1, "97"))
        assert server.program
        with frozen(server.program.pid), pytest.raises(TimeoutError):
            await mine.wait(8, set())
        await eventually(lambda: server.held("worker", Lane.QUICK) == 1, "Redis gave the entry away")
        assert jobs(await mine.wait(8, set())) == [Job(1, "97")]

    asyncio.run(scenario())
