"""Waits for conditions, with a bound and a description; no test sleeps for an outcome."""

import asyncio
import http.client
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

import redis

T = TypeVar("T")

INTERVAL = 0.02  # seconds between two looks at least; one that took longer is not repeated sooner than that
SECONDS = 30  # a bound that a loaded machine keeps; what is waited for takes a second or two

# What a condition may meet while a process starts, Redis is away or a container is replaced: not yet, rather than never.
NOT_YET = (
    OSError,
    AssertionError,
    http.client.HTTPException,
    redis.ConnectionError,
    redis.TimeoutError,
    subprocess.CalledProcessError,
)


def wait_until(condition: Callable[[], T], description: str, seconds: float = SECONDS) -> T:
    """Look until the condition is true and return what it returned; fails with the description when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        looked = time.monotonic()
        try:
            value, trouble = condition(), ""
        except NOT_YET as error:
            value, trouble = None, f" ({error!r})"
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {description}{trouble}"
        time.sleep(max(INTERVAL, time.monotonic() - looked))


async def eventually(condition: Callable[[], T], description: str, seconds: float = SECONDS) -> T:
    """Look until the condition is true, in a thread: the event loop goes on."""
    return await asyncio.to_thread(wait_until, condition, description, seconds)
