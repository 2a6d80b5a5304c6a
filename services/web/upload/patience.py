"""How often Redis is asked about uploads before it counts as away."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.broker.connection import PASSING, Backoff

log = logging.getLogger(__name__)

T = TypeVar("T")


class Unavailable(Exception):
    """Redis could not be asked for as long as patience lasted."""


async def once(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask Redis once. Raises Unavailable."""
    try:
        return await ask()
    except PASSING as error:
        raise Unavailable(str(error)) from error


async def patiently(write: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Write until Redis has it. Raises Unavailable."""
    backoff, until = Backoff(), time.monotonic() + seconds
    while True:
        try:
            return await write()
        except PASSING as error:
            if time.monotonic() > until:
                raise Unavailable(str(error)) from error
            log.warning("could not write to an upload, will try again: %s", error)
            await asyncio.sleep(backoff.next())
