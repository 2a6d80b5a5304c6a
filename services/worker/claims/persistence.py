"""Writes that must not be lost: tried until Redis has them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.broker.connection import PASSING, Backoff

log = logging.getLogger(__name__)

T = TypeVar("T")


async def persist(write: Callable[[], Awaitable[T]]) -> T:
    """Try until Redis has it, and return what it says. What is written must bear to be written twice."""
    backoff = Backoff()
    while True:
        try:
            return await write()
        except PASSING as error:
            log.warning("could not publish answers, will try again: %s", error)
            await asyncio.sleep(backoff.next())
