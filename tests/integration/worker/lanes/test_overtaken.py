"""A worker that stood still while others went on answers nobody in their place."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.broker.finish import DeadLetter
from services.jobs import names
from services.jobs.messages import Answer, Fault, Job, Verdict
from services.jobs.names import Lane
from services.worker.claims.claim import RunClaim
from services.worker.lanes.runs import Runs
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer

TOKEN = "t" * 22
JOB = Job(7, "10^99+289", session=TOKEN, request="1", expression=True)
POISON = Answer(7, Verdict.UNKNOWN, fault=Fault.POISON)
MARK = "proof 6-0 web 7"  # the run's promotion moved it


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    fields = {"owner": "web", "epoch": 1, "last": 0, "moves": 0, "ttl": 900, "?1": MARK}
    server.admin.hset(names.session(TOKEN), mapping=fields)
    yield server
    server.close()


def finish(server: RedisServer, entry: bytes) -> bool:
    """The end that the worker comes to."""

    async def scenario() -> bool:
        redis = connected(server, redis_timeout=5, instance="late")
        try:
            claim = RunClaim(Lane.HEAVY, entry, "web", 2, 0, JOB)
            return await Runs(redis, "late", 600).finish(claim, POISON, [DeadLetter(JOB, "killed", "late")], deserted=False)
        finally:
            await redis.aclose()

    return asyncio.run(scenario())


def test_a_worker_whose_run_another_one_moved_or_ended_answers_nobody(server: RedisServer) -> None:
    assert finish(server, b"5-0")
    assert server.admin.hget(names.session(TOKEN), "?1") == MARK.encode()
    assert not server.admin.exists(names.history(TOKEN), names.DEAD)


def test_an_entry_that_is_there_and_has_no_askers_is_answered_to_the_one_that_it_names(server: RedisServer) -> None:
    entry = server.admin.xadd(names.stream(Lane.HEAVY), {"reply": "web", "jobs": b""})  # a retried dead letter
    assert finish(server, entry)
    assert server.admin.hget(names.session(TOKEN), "?1") == b"1"
    assert server.admin.llen(names.history(TOKEN)) == len(server.dead_letters()) == 1
