"""Ends tasks for good."""

import asyncio
from collections.abc import Coroutine, Generator, Iterable
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")

AGAIN = 0.5  # seconds until a task that did not end is cancelled once more


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
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


class Parts(asyncio.TaskGroup):
    """The parts of a process: when one fails, all that it does is cancelled until it has ended, so that it is started again."""

    def __init__(self) -> None:
        super().__init__()
        self._ending: asyncio.Task[None] | None = None

    def create_task(
        self, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Task[T]":
        """As asyncio's."""
        task = super().create_task(coro, name=name, context=context)
        task.add_done_callback(self._look)
        return task

    def _look(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and task.exception() is not None and self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(end_all_others())
