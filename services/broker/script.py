"""Lua scripts, each one atomic step in Redis."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.exceptions import NoScriptError

from services.broker.client import BrokerClient, Command

SCRIPTS = Path(__file__).parent / "scripts"
# What several scripts have in common: each defines a function.
MESSAGEPACK = SCRIPTS / "messagepack.lua"  # for those that put together what is MessagePack already
TRY = SCRIPTS / "try.lua"  # for those that read what may be spoiled
SPOILED = SCRIPTS / "spoiled.lua"  # for those that forget what is spoiled; after TRY
EPOCH = SCRIPTS / "epoch.lua"  # for those that number answers, or tell numbers
CLOCK = SCRIPTS / "clock.lua"  # for those that ask what time it is
HELD = SCRIPTS / "held.lua"  # for those that act on entries that a worker must still hold
WAITING = SCRIPTS / "waiting.lua"  # for those that append entries
SET_ASIDE = SCRIPTS / "set_aside.lua"  # for those that set jobs aside
TURNS = SCRIPTS / "turns.lua"  # for those that append costly entries, or take or delete them; after TRY
LEAVE_RUN = SCRIPTS / "leave_run.lua"  # for those by which somebody leaves a run; after TURNS


class Script:
    """A script by its digest: sent whole only to a Redis that does not have it (a new one, or one restarted).

    Of several files, which are one script to Redis, the first ones define what the last one calls.
    """

    def __init__(self, *paths: Path) -> None:
        self.source = "\n".join(path.read_text() for path in paths)
        self._digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, redis: redis.asyncio.Redis | BrokerClient, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
        """Run it on these keys; the reply is of the script's own form."""
        try:
            return await redis.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.eval(self.source, len(keys), *keys, *arguments)

    def command(self, keys: Sequence[str], *arguments: str | bytes | int) -> Command:
        """The command that runs it where Redis has it; elsewhere it fails with NoScriptError."""
        return "EVALSHA", self._digest, len(keys), *keys, *arguments
