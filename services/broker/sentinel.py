"""Sentinels, and the pool of a client whose primary may become another server."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

ASK = 0.5  # seconds in which a Sentinel answers, or counts as away
CONNECTIONS = 4  # to each Sentinel: several connections of a process may ask at once

Address = tuple[str, int]


class PrimaryPool(SentinelConnectionPool, redis.asyncio.BlockingConnectionPool):
    """As bounded as the pool for a single server; asks before each connection where the primary is."""


class Sentinels(redis.asyncio.Sentinel):
    """All are asked at once, and the latest configuration that one of them knows is believed.

    The first answer would not do: a Sentinel that was cut off, or stood still, together with the former primary names it until it
    has heard from the others.
    """

    def __init__(self, addresses: Sequence[Address], options: Mapping[str, Any]) -> None:
        """`options`: who we are to them."""
        waits = {
            "socket_timeout": ASK,
            "socket_connect_timeout": ASK,
            "max_connections": CONNECTIONS,
            "retry": Retry(NoBackoff(), 0),
        }
        super().__init__(addresses, sentinel_kwargs={**waits, **options})  # type: ignore[no-untyped-call]  # redis-py's own

    async def discover_master(self, service_name: str) -> Address:
        """Where the primary is now. Raises MasterNotFoundError, which passes."""
        asked = [asyncio.create_task(self._ask(sentinel, service_name)) for sentinel in self.sentinels]
        done, late = await asyncio.wait(asked, timeout=ASK)
        for task in late:
            task.cancel()
        states = [state for task in done if (state := task.result())]
        latest = max(states, key=lambda state: state["config-epoch"], default=None)
        if latest is None:
            raise MasterNotFoundError(f"{len(states)} of {len(asked)} Sentinels know a primary of the name {service_name!r}")
        if not self.check_master_state(latest, service_name):
            raise MasterNotFoundError(f"the primary of the name {service_name!r} is down, and Sentinels have chosen no other yet")
        return latest["ip"], latest["port"]

    @staticmethod
    async def _ask(sentinel: redis.asyncio.Redis, name: str) -> dict[str, Any] | None:
        """What this Sentinel knows of the primary of that name; None if nothing."""
        try:
            states: dict[str, dict[str, Any]] = await sentinel.sentinel_masters()  # type: ignore[assignment]  # RESP2's form
        except (RedisError, OSError) as error:
            log.debug("could not ask a Sentinel: %s", error)
            return None
        return states.get(name)
