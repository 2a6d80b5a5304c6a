"""One Redis for the tests of scripts, alone and as the node of a cluster; each test begins with an empty one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from services.broker.script import Script
from tests.integration.redis_server import RedisServer

END = b"the end of what is heard"  # which no script says
PATIENCE = 30  # seconds that a busy machine keeps


@dataclass(frozen=True, slots=True)
class Node:
    """A Redis, and the users of the product on it; a script runs as the user that runs it there, with no right more."""

    admin: Any
    web: Any
    worker: Any
    operators: Any

    def listen(self, *channels: str) -> Any:
        """What is published on these channels from now on; `heard` reads it."""
        listener = self.admin.pubsub()
        listener.subscribe(*channels)
        for _ in channels:
            assert listener.get_message(timeout=PATIENCE) is not None  # that it is subscribed
        return listener


def run(client: Any, script: Script, keys: list[str], *arguments: str | bytes | int) -> Any:
    """The reply of a script."""
    return client.eval(script.source, len(keys), *keys, *arguments)


def heard(listener: Any) -> list[tuple[str, bytes]]:
    """Channel and message of all that was published until now: Redis may write a script's publications after its reply."""
    messages = []
    redis.Redis(connection_pool=listener.connection_pool).publish(next(iter(listener.channels)), END)
    while (message := listener.get_message(timeout=PATIENCE))["data"] != END:
        messages.append((message["channel"].decode(), message["data"]))
    return messages


@pytest.fixture(scope="session", params=["alone", "clustered"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("scripts"), clustered=request.param == "clustered")
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def node(server: RedisServer) -> Node:
    server.admin.flushall()
    return Node(server.admin, server.client("web"), server.client("worker"), server.client("operators"))
