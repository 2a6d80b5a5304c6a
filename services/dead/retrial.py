"""Letters that are tried again, and what their jobs are answered."""

import asyncio
import sys
import time

from redis.exceptions import RedisError

from services.dead.arguments import PROGRAM
from services.dead.inbox import Inbox
from services.dead.letter import show_answer, show_number
from services.dead.shelf import Shelf

GONE = "no such dead letter"


class Retrial:
    """Letters whose jobs were put back, and the answers that are still to come."""

    def __init__(self, shelf: Shelf, inbox: Inbox) -> None:
        self._shelf = shelf
        self._inbox = inbox
        self._waiting: dict[int, tuple[str, str]] = {}  # by job: its letter's id, its number
        self._jobs = 0  # ids given so far
        self._done = True  # whether nothing failed so far

    async def run(self, ids: list[str], seconds: float | None) -> bool:
        """Put the jobs of these letters back, and print the answers that come within so many seconds; whether all went well."""
        try:
            if seconds is not None:
                await self._inbox.listen()  # first: an answer may come before the next command
            for id in ids:
                await self._retry(id)
            if seconds is None:
                print(f"Put back {len(self._waiting)}.")
            else:
                await self._hear(seconds)
        except (asyncio.CancelledError, RedisError):
            if self._waiting:
                complain("what was put back goes on; its answers are not shown")
            raise
        return self._done

    async def _retry(self, id: str) -> None:
        letter = await self._shelf.find(id)
        obstacle = GONE if letter is None else letter.obstacle
        if letter is not None and not obstacle:
            jobs = letter.again(self._jobs + 1)
            self._jobs += len(jobs)
            self._waiting |= {
                job.id: (id, show_number(job)) for job in jobs
            }  # first: if the next step is cut short, it may be done
            if await self._shelf.retry(letter, jobs, self._inbox.name):
                return
            obstacle = GONE  # somebody else was faster
            for job in jobs:
                del self._waiting[job.id]
        complain(f"{id}: {obstacle}")
        self._done = False

    async def _hear(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._waiting and (left := deadline - time.monotonic()) > 0:
            for answer in await self._inbox.hear(left):
                if answer.id in self._waiting:  # not one that is repeated
                    id, number = self._waiting.pop(answer.id)
                    print(f"{id}  {number}: {show_answer(answer)}", flush=True)
                    self._done &= answer.fault is None
        for id, number in self._waiting.values():
            complain(
                f"{id}: no answer within {seconds:g} s to {number}; the job waits in the queue or is under way, and goes on."
                " If it fails again, it is a dead letter again"
            )
        self._done &= not self._waiting


def complain(sentence: str) -> None:
    """On standard error."""
    print(f"{PROGRAM}: {sentence}", file=sys.stderr)
