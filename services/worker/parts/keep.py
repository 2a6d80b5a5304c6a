"""Chains that are kept in Redis, so that a proof whose worker died, or gave it back, goes on where it was."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import redis.asyncio

from services.broker.script import CLOCK, TRY, Script
from services.jobs import names

log = logging.getLogger(__name__)

KEEP_CHAIN = Script(TRY, CLOCK, Path(__file__).parent / "scripts" / "keep_chain.lua")

MOST_BYTES = 1 << 20  # of one chain: some ten times what 1,000 digits take


class Chains:
    """Bounded in bytes and count: one that was let go begins anew. Every method raises what the Redis client raises."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis

    async def find(self, n: str) -> bytes | None:
        """What is kept of the proof of n, in decimal."""
        kept: Any = await self._redis.get(names.chain(digest(n)))
        return None if kept is None else bytes(kept)

    async def keep(self, n: str, saved: bytes) -> None:
        """Keep how far the proof of n has come."""
        if len(saved) > MOST_BYTES:
            log.warning("a chain of %d digits is not kept: it has %d bytes", len(n), len(saved))
            return
        keys, arguments = keep_chain_call(n, saved)
        await KEEP_CHAIN(self._redis, keys, *arguments)


def keep_chain_call(
    n: str, saved: bytes, ttl: int = names.CHAIN_TTL, most: int = names.CHAINS_LENGTH
) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of keep_chain.lua."""
    return [names.chain(digest(n)), names.CHAINS], [saved, digest(n), ttl, most, names.chain("")]


def digest(n: str) -> str:
    """By which the chain of a number, in decimal, is found."""
    return hashlib.sha256(n.encode()).hexdigest()
