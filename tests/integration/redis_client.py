"""The service's own Redis client on a server of the test's own."""

from typing import Any

from services.broker.connection import Client, connect
from services.runtime.settings import Settings
from tests.integration.redis_server import RedisServer


def connected(server: RedisServer, **settings: Any) -> Client:
    """As a worker is, with these settings otherwise."""
    access = {"redis_user": "worker", "redis_password_file": server.password_file("worker")}
    return connect(Settings(redis_url=f"unix://{server.socket}", _cli_parse_args=[], **access | settings))
