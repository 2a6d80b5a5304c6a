"""What a real Redis refuses for a while, each way to it tells as PASSING, and takes the same call again afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import TryAgainError

from services.broker.client import BrokerClient
from services.broker.connection import PASSING, Client
from services.broker.finish import finish
from services.jobs import names
from services.jobs.names import Lane
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer
from tests.integration.refusals import (
    busy,
    full,
    moved,
    other_node,
    replica,
    stale_replica,
    start_clustered,
    without_replicas,
    without_slots,
)

STREAM = names.stream(Lane.QUICK)


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


REFUSALS = [without_replicas, replica, stale_replica, full, busy]
OF_CLUSTERS = [without_slots, moved]
WAYS = [by_hot_connection, by_pool, by_transaction, by_script]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The only node of a cluster."""
    server = RedisServer(tmp_path_factory.mktemp("node"))
    start_clustered(server)
    yield server
    server.close()


def whole_client(server: RedisServer) -> Client:
    return connected(server, redis_timeout=5, instance="me")


def refuse(
    server: RedisServer,
    refusal: Callable[[RedisServer], Any],
    way: Callable[[redis.asyncio.Redis, BrokerClient], Awaitable[Any]],
) -> None:
    """The same call before, meanwhile and afterwards."""

    async def scenario() -> None:
        whole = whole_client(server)
        broker = BrokerClient(whole)
        await way(whole, broker)
        with refusal(server):
            try:
                await way(whole, broker)
            except PASSING:
                pass
            else:  # a script that finds nothing to write
                assert way is by_script and refusal not in {busy, *OF_CLUSTERS}
        await way(whole, broker)
        await whole.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.__name__)
def test_what_redis_refuses_for_a_while_is_told_as_passing_and_taken_afterwards(
    server: RedisServer,
    refusal: Callable[[RedisServer], Any],
    way: Callable[[redis.asyncio.Redis, BrokerClient], Awaitable[Any]],
) -> None:
    refuse(server, refusal, way)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("refusal", OF_CLUSTERS, ids=lambda refusal: refusal.__name__)
def test_what_a_clusters_node_refuses_for_a_while_is_told_as_passing_and_taken_afterwards(
    node: RedisServer,
    refusal: Callable[[RedisServer], Any],
    way: Callable[[redis.asyncio.Redis, BrokerClient], Awaitable[Any]],
) -> None:
    refuse(node, refusal, way)


def test_keys_of_which_some_have_gone_to_another_node_are_told_as_passing(node: RedisServer) -> None:
    """TRYAGAIN: Redis is migrating a slot."""
    keys = STREAM, names.stream(Lane.PROOF)

    async def scenario() -> None:
        whole = whole_client(node)
        for way in (whole, BrokerClient(whole)):
            with pytest.raises(TryAgainError) as raised:
                await way.eval("return 1", 2, *keys)
            assert isinstance(raised.value, PASSING)
        node.raw("CLUSTER", "SETSLOT", slot, "STABLE")
        assert await whole.eval("return 1", 2, *keys) == 1
        await whole.aclose()

    node.admin.xadd(STREAM, {"jobs": ""})
    slot = node.raw("CLUSTER", "KEYSLOT", STREAM)
    with other_node(node) as other:
        node.raw("CLUSTER", "SETSLOT", slot, "MIGRATING", other.raw("CLUSTER", "MYID"))
        asyncio.run(scenario())


def test_a_subscription_begins_while_redis_takes_no_writes(server: RedisServer) -> None:
    """A process hears what is published, whatever Redis says to its commands."""

    async def scenario() -> None:
        whole = whole_client(server)
        for refusal in (without_replicas, replica, full):
            with refusal(server):
                async with whole.pubsub() as heard:
                    await heard.subscribe(names.CANCELLATIONS)
                    assert (await heard.get_message(timeout=5) or {})["type"] == "subscribe"
        await whole.aclose()

    asyncio.run(scenario())
