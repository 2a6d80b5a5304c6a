"""Hears what comes of the jobs that were put back."""

import secrets
from typing import Self

import redis.asyncio
from redis.exceptions import TimeoutError

from services.jobs import names
from services.jobs.messages import Answer, decode_answers


class Inbox:
    """Hears the answers to what it asked, from `listen` on, under a name that nobody else has."""

    def __init__(self, redis: redis.asyncio.Redis, patience: float) -> None:
        """`patience`: seconds until Redis must have taken the subscription."""
        self.name = f"dead-{secrets.token_hex(8)}"
        self._pubsub = redis.pubsub()
        self._patience = patience

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py gives it no types

    async def listen(self) -> None:
        """Returns when nothing that is published from now on is missed."""
        await self._pubsub.subscribe(names.results(self.name))
        if await self._pubsub.get_message(timeout=self._patience) is None:
            raise TimeoutError(f"no subscription within {self._patience:g} s")

    async def hear(self, seconds: float) -> list[Answer]:
        """The next answers, or none within so many seconds."""
        message = await self._pubsub.get_message(timeout=seconds)
        return [] if message is None else decode_answers(message["data"])
