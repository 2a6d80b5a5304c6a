"""Entries whose lease ran out, against Redis alone: each is found, whatever else is pending."""

import asyncio

import pytest

from services.jobs import messages, names
from services.jobs.messages import Job
from services.jobs.names import GROUP, Lane
from services.worker.claims.claim import Claim, RunClaim
from services.worker.claims.opening import Opening
from services.worker.claims.takeover import Takeover
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer
from tests.integration.waiting import wait_until

LEASE = 60.0  # s: none runs out in a test
OVERDUE = 61_000  # ms
STREAM = names.stream(Lane.HEAVY)


@pytest.fixture
def server(server: RedisServer) -> RedisServer:
    """With the workers' group."""
    server.admin.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    return server


def hold(server: RedisServer, worker: str, count: int, *, idle: int = 0) -> list[bytes]:
    """So many new entries that this worker holds, and renewed so many ms ago."""
    ids = [server.admin.xadd(STREAM, {"reply": "web", "jobs": messages.encode([Job(n, "97")])}) for n in range(count)]
    server.admin.xreadgroup(GROUP, worker, {STREAM: ">"})
    server.admin.xclaim(STREAM, GROUP, worker, 0, ids, idle=idle, justid=True)
    return ids


def take_over(server: RedisServer, worker: str = "idle", lease: float = LEASE) -> Claim | None:
    redis = connected(server)

    async def scenario() -> Claim | None:
        try:
            return await Takeover(redis, worker, lease, Opening(redis, worker)).take_over(Lane.HEAVY)
        finally:
            await redis.aclose()

    return asyncio.run(scenario())


@pytest.mark.parametrize("ahead", [0, 11, 300])
def test_what_a_dead_worker_left_is_found_behind_what_living_ones_hold(server: RedisServer, ahead: int) -> None:
    if ahead:
        hold(server, "living", ahead)
    (left,) = hold(server, "dead", 1, idle=OVERDUE)
    claim = take_over(server)
    assert isinstance(claim, RunClaim)
    assert (claim.id, claim.deliveries) == (left, 2)
    assert take_over(server, "another") is None


def test_the_oldest_goes_first(server: RedisServer) -> None:
    first, second = hold(server, "dead", 2, idle=OVERDUE)
    assert [claim.id for claim in (take_over(server), take_over(server)) if claim] == [first, second]


def test_an_entry_that_was_deleted_while_it_was_pending_hides_none(server: RedisServer) -> None:
    *gone, left = hold(server, "dead", 100, idle=OVERDUE)
    server.admin.xdel(STREAM, *gone)
    claim = take_over(server)
    assert claim is not None and claim.id == left
    assert server.admin.xpending(STREAM, GROUP)["pending"] == 1


def test_an_entry_whose_lease_began_in_the_future_is_found_after_a_lease(server: RedisServer) -> None:
    (left,) = hold(server, "dead", 1, idle=-3_000_000)  # as after Redis' clock was set back by 50 minutes
    assert take_over(server) is None
    assert wait_until(lambda: take_over(server, lease=0.05), "its lease ran out").id == left


def test_of_many_that_look_one_gets_it(server: RedisServer) -> None:
    hold(server, "dead", 1, idle=OVERDUE)
    assert sum(take_over(server, f"idle {n}") is not None for n in range(4)) == 1


def test_a_group_that_went_with_redis_data_is_made_again(server: RedisServer) -> None:
    server.admin.flushall()
    assert take_over(server) is None
    assert server.admin.xinfo_groups(STREAM)[0]["name"] == GROUP.encode()
