"""Ends tasks for good."""

import asyncio
from collections.abc import Iterable

AGAIN = 0.5  # seconds until a task that did not end is cancelled once more


async def end(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Cancel tasks until all have ended.

    Once is not enough: before Python 3.12, asyncio.wait_for, with which redis-py sends, now and then swallows it.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN)


async def end_all_others() -> None:
    """End every task but this one: a group cancels its own tasks only once."""
    mine = asyncio.current_task()
    await end(task for task in asyncio.all_tasks() if task is not mine)
