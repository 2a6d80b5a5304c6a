"""A client leaves a server that became a replica, with all its connections."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from redis.exceptions import ReadOnlyError

from services.broker.client import BrokerClient
from services.broker.connection import PASSING
from services.jobs import names
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer


@pytest.mark.parametrize("lean", [False, True], ids=["redis-py", "lean"])
def test_all_connections_to_a_replica_are_given_up(server: RedisServer, lean: bool) -> None:
    def connections() -> set[str]:
        return {each["id"] for each in server.admin.client_list() if each["name"] == "me"}

    async def scenario() -> None:
        client = connected(server, redis_timeout=5, instance="me")
        broker = BrokerClient(client)
        way = broker if lean else client
        await asyncio.gather(*(client.hget(names.question("x"), "answer") for _ in range(3)), way.expire(names.NOTHING, 0))
        before = connections()
        assert len(before) >= 3
        server.follow_nobody_there()
        with pytest.raises(ReadOnlyError):
            await way.expire(names.NOTHING, 0)
        server.lead()
        await way.expire(names.NOTHING, 0)
        assert len(connections()) == 1 and not connections() & before
        await client.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_connection_that_is_closed_before_its_command_is_sent_fails_in_passing(
    server: RedisServer, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def scenario() -> None:
        client = connected(server)
        pool = client.connection_pool
        connection: Any = pool.connection_class(**pool.connection_kwargs)
        await connection.connect()
        connection._writer.transport.abort()
        await asyncio.sleep(0.01)  # it is closed in a later turn of the loop
        with pytest.raises(PASSING):
            await _ping(connection)
        await client.aclose()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


async def _ping(connection: Any) -> None:
    await connection.send_command("PING")
    await connection.read_response()
