"""A client leaves a server that became a replica, with all its connections."""

import asyncio

import pytest
from redis.exceptions import ReadOnlyError

from services.broker.client import BrokerClient
from services.broker.connection import connect
from services.jobs import names
from services.runtime.settings import Settings
from tests.integration.redis_server import RedisServer
from tests.ports import free_port


@pytest.mark.parametrize("lean", [False, True], ids=["redis-py", "lean"])
def test_all_connections_to_a_replica_are_given_up(server: RedisServer, lean: bool) -> None:
    access = {"redis_user": "worker", "redis_password_file": server.password_file("worker"), "instance": "me"}
    settings = Settings(redis_url=f"unix://{server.socket}", redis_timeout=5, _cli_parse_args=[], **access)  # type: ignore[arg-type]

    def connections() -> set[str]:
        return {each["id"] for each in server.admin.client_list() if each["name"] == "me"}

    async def scenario() -> None:
        client = connect(settings)
        broker = BrokerClient(client)
        way = broker if lean else client
        await asyncio.gather(*(client.hget(names.question("x"), "answer") for _ in range(3)), way.expire(names.NOTHING, 0))
        before = connections()
        assert len(before) >= 3
        server.admin.replicaof("127.0.0.1", free_port())
        with pytest.raises(ReadOnlyError):
            await way.expire(names.NOTHING, 0)
        server.admin.replicaof("NO", "ONE")
        await way.expire(names.NOTHING, 0)
        assert len(connections()) == 1 and not connections() & before
        await client.aclose()

    asyncio.run(scenario())
