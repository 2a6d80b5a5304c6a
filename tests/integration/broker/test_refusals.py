"""What a real Redis refuses for a while, each way to it tells as PASSING, and takes the same call again afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis.asyncio

from services.broker.client import BrokerClient
from services.broker.connection import PASSING, connect
from services.broker.finish import finish
from services.jobs import names
from services.jobs.names import Lane
from services.runtime.settings import Settings
from tests.integration.redis_server import RedisServer

STREAM = names.stream(Lane.QUICK)


@contextmanager
def without_replicas(server: RedisServer) -> Iterator[None]:
    """NOREPLICAS."""
    server.admin.config_set("min-replicas-to-write", 1)
    yield
    server.admin.config_set("min-replicas-to-write", 0)


@contextmanager
def replica(server: RedisServer, stale: str = "yes") -> Iterator[None]:
    """READONLY: it follows a master that is not there."""
    server.admin.config_set("replica-serve-stale-data", stale)
    server.follow_nobody_there()
    yield
    server.lead()


@contextmanager
def stale_replica(server: RedisServer) -> Iterator[None]:
    """MASTERDOWN: it does not serve what may be outdated."""
    with replica(server, "no"):
        yield


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    """OOM."""
    room = server.admin.config_get("maxmemory")["maxmemory"]
    server.admin.config_set("maxmemory", 1)
    yield
    server.admin.config_set("maxmemory", room)


async def by_hot_connection(whole: redis.asyncio.Redis, broker: BrokerClient) -> Any:
    return await broker.run("XADD", STREAM, "*", "jobs", "")


async def by_pool(whole: redis.asyncio.Redis, broker: BrokerClient) -> Any:
    return await whole.xadd(STREAM, {"jobs": ""})


async def by_transaction(whole: redis.asyncio.Redis, broker: BrokerClient) -> Any:
    async with whole.pipeline(transaction=True) as step:
        step.xlen(STREAM)
        step.xadd(STREAM, {"jobs": ""})
        return await step.execute()


async def by_script(whole: redis.asyncio.Redis, broker: BrokerClient) -> Any:
    return await finish(whole, Lane.QUICK, ["0-1"], publications=[(names.results("web0"), b"")])


REFUSALS = [without_replicas, replica, stale_replica, full]
WAYS = [by_hot_connection, by_pool, by_transaction, by_script]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.__name__)
def test_what_redis_refuses_for_a_while_is_told_as_passing_and_taken_afterwards(
    server: RedisServer,
    refusal: Callable[[RedisServer], Any],
    way: Callable[[redis.asyncio.Redis, BrokerClient], Awaitable[Any]],
) -> None:
    async def scenario() -> None:
        access: dict[str, Any] = {"redis_user": "worker", "redis_password_file": server.password_file("worker"), "instance": "me"}
        whole = connect(Settings(redis_url=f"unix://{server.socket}", redis_timeout=5, _cli_parse_args=[], **access))
        broker = BrokerClient(whole)
        await way(whole, broker)
        with refusal(server):
            try:
                await way(whole, broker)
            except PASSING:
                pass
            else:  # a script that finds nothing to write
                assert way is by_script
        await way(whole, broker)
        await whole.aclose()

    asyncio.run(scenario())


def test_a_subscription_begins_while_redis_takes_no_writes(server: RedisServer) -> None:
    """A process hears what is published, whatever Redis says to its commands."""

    async def scenario() -> None:
        access: dict[str, Any] = {"redis_user": "worker", "redis_password_file": server.password_file("worker"), "instance": "me"}
        whole = connect(Settings(redis_url=f"unix://{server.socket}", redis_timeout=5, _cli_parse_args=[], **access))
        for refusal in (without_replicas, replica, full):
            with refusal(server):
                async with whole.pubsub() as heard:
                    await heard.subscribe(names.CANCELLATIONS)
                    assert (await heard.get_message(timeout=5) or {})["type"] == "subscribe"
        await whole.aclose()

    asyncio.run(scenario())
