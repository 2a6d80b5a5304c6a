"""Lua scripts, each one atomic step in Redis."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.exceptions import NoScriptError


class Script:
    """A script by its digest: sent whole only to a Redis that does not have it (a new one, or one restarted)."""

    def __init__(self, path: Path) -> None:
        self._source = path.read_text()
        self._digest = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, redis: redis.asyncio.Redis, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
        """Run it on these keys; the reply is of the script's own form."""
        try:
            return await redis.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.eval(self._source, len(keys), *keys, *arguments)
