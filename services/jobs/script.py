"""Lua scripts, each one atomic step in Redis."""

import hashlib
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.exceptions import NoScriptError


class Script:
    """A script by its digest: sent whole only to a Redis that does not have it (a new one, or one restarted)."""

    def __init__(self, path: Path) -> None:
        self._source = path.read_text()
        self._digest = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, redis: redis.asyncio.Redis, key: str, *arguments: str | bytes | int) -> Any:
        """Run it on one key; the reply is of the script's own form."""
        try:
            return await redis.evalsha(self._digest, 1, key, *arguments)
        except NoScriptError:
            return await redis.eval(self._source, 1, key, *arguments)
