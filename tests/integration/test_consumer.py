"""A worker's part in the consumer group, against Redis alone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import TimeoutError

from services.jobs import messages, names
from services.jobs.connection import connect
from services.jobs.messages import Job
from services.jobs.names import Lane
from services.jobs.settings import Settings
from services.worker.consumer import Consumer
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
