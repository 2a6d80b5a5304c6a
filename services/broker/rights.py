"""Whether Redis lets this process do all that it needs: asked at the start, before anything is taken or promised."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

import redis.asyncio
from redis.exceptions import AuthenticationError

from services.broker.connection import PASSING, Backoff

log = logging.getLogger(__name__)


SILENT = "Redis does not answer"
REFUSED = "Redis refuses this process' user or password"
OUTDATED = "Redis' users lack rights that this version needs"  # which ones is in the log alone: anybody may ask who is ready


class Rights:
    """What Redis' users may do is read by Redis, so after an upgrade they may be those of the former release.

    A process that began to work with them would end in the middle of a step, again and again. This one waits, says what it lacks,
    and is not ready meanwhile. What is taken away later is not looked for: it is met as a fault.
    """

    def __init__(self, redis: redis.asyncio.Redis, needs: Sequence[tuple[str, ...]]) -> None:
        """`redis`: a client of its own, which asks nothing else over its connections. `needs`: commands, as words, that its user
        must be allowed to run.
        """
        self._redis = redis
        self._user = redis.connection_pool.connection_kwargs.get("username") or "default"
        self._needs = needs
        self.obstacle = SILENT  # what keeps the process from its work; empty once it may do all

    async def wait(self, stop: asyncio.Event) -> bool:
        """Ask until all is allowed; False if `stop` came first."""
        async with contextlib.aclosing(self._redis):
            return await self._wait(stop)

    async def _wait(self, stop: asyncio.Event) -> bool:
        backoff = Backoff()
        while not stop.is_set():
            try:
                self._learn(await self._ask())
            except PASSING as error:
                # redis-py calls it a lost connection, with what it was as the cause
                self.obstacle = REFUSED if isinstance(error.__cause__ or error, AuthenticationError) else SILENT
                log.warning("could not ask Redis what %s may do, will ask again: %s", self._user, error)
            if not self.obstacle:
                return True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff.next()):
                    await stop.wait()
        return False

    def _learn(self, lacking: list[str]) -> None:
        obstacle = OUTDATED if lacking else ""
        if lacking and obstacle != self.obstacle:
            log.error("%s, and waits for them: %s", obstacle, "; ".join(lacking))
        self.obstacle = obstacle

    async def _ask(self) -> list[str]:
        """What Redis says against it, each once. ACL DRYRUN runs nothing and leaves nothing in ACL LOG."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for words in self._needs:
                pipe.execute_command("ACL DRYRUN", self._user, *words)
            replies = await pipe.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, PASSING):
                raise reply
        said = (reply.decode() if isinstance(reply, bytes) else str(reply) for reply in replies)
        return list(dict.fromkeys(words for words in said if words != "OK"))
