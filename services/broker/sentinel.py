"""Sentinels, and the pool of a client whose primary may become another server."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import redis.asyncio
from prometheus_client import Gauge
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

ASK = 0.5  # seconds in which a Sentinel answers, or counts as away
CONNECTIONS = 4  # to each Sentinel: several connections of a process may ask at once

Address = tuple[str, int]

KNOWING = Gauge("primes_redis_sentinels", "Sentinels that told this process of Redis' primary when it looked last")
NEEDED = Gauge("primes_redis_sentinels_needed", "Sentinels that must agree before they make another server the primary")


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
        told = [known for task in done if (known := task.result())]
        KNOWING.set(len(told))
        latest = max(told, key=lambda known: known.epoch, default=None)
        if latest is None:
            raise MasterNotFoundError(f"{len(told)} of {len(asked)} Sentinels know a primary of the name {service_name!r}")
        NEEDED.set(latest.needed)
        if not latest.up:
            raise MasterNotFoundError(f"the primary of the name {service_name!r} is down, and Sentinels have chosen no other yet")
        return latest.address

    async def _ask(self, sentinel: redis.asyncio.Redis, name: str) -> "Known | None":
        """What this Sentinel knows of the primary of that name; None if nothing."""
        try:
            async with sentinel.pipeline(transaction=False) as pipe:
                pipe.execute_command("SENTINEL MASTERS")
                pipe.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", name)
                states, told = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            log.debug("could not ask a Sentinel: %s", error)
            return None
        return read(name, states, told)


class Known(NamedTuple):
    """What a Sentinel tells of the primary."""

    epoch: int
    address: Address
    up: bool  # as far as it knows
    needed: int  # Sentinels, to choose another


def read(name: str, states: Any, told: Any) -> Known | None:
    """What a Sentinel's replies to SENTINEL MASTERS and GET-MASTER-ADDR-BY-NAME say of the primary of that name; None if nothing.

    A Sentinel that has not read the rules of this version yet refuses the second, and is believed for the first.
    """
    if isinstance(states, Exception) or name not in states or told is None:
        return None
    state: dict[str, Any] = states[name]
    known = state["ip"], state["port"]
    address = known if isinstance(told, Exception) else (told[0].decode(), told[1])
    # Between the promotion and the end of the failover, a second later, only the address is the new one.
    chosen = address != known
    majority = (state["num-other-sentinels"] + 1) // 2 + 1
    up = chosen or (state["is_master"] and not state["is_sdown"] and not state["is_odown"])
    return Known(state["config-epoch"], address, up, max(state["quorum"], majority))
