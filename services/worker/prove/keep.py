"""Certificates that are kept in Redis for whoever wants to check them."""

import zlib
from pathlib import Path

import redis.asyncio

from services.broker.script import CLOCK, Script
from services.jobs import names

KEEP_CERTIFICATE = Script(CLOCK, Path(__file__).parent / "scripts" / "keep_certificate.lua")


class Certificates:
    """Bounded in bytes and time: one that was let go is made anew for who asks for it."""

    def __init__(self, redis: redis.asyncio.Redis, ttl: int, memory: int) -> None:
        """`ttl` in seconds, `memory` in MiB of Redis for all together."""
        self._redis = redis
        self._ttl = ttl
        self._most = memory << 20

    async def keep(self, sha256: str, primo: bytes, pari: bytes) -> None:
        """Keep both texts of one under its hash. Raises what the Redis client raises."""
        keys, arguments = keep_call(sha256, primo, pari, self._ttl, self._most)
        await KEEP_CERTIFICATE(self._redis, keys, *arguments)


def keep_call(sha256: str, primo: bytes, pari: bytes, ttl: int, most: int) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of keep_certificate.lua; `ttl` in seconds, `most` in bytes for all together."""
    texts = zlib.compress(primo), zlib.compress(pari)
    return [names.certificate(sha256), names.CERTIFICATES], [sha256, ttl, most, names.certificate(""), *texts]
