"""Lists, retries and deletes dead letters: `python -m services.worker.dead`."""

import asyncio
import os
import re
import sys
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.broker.connection import connect
from services.dead.arguments import PROGRAM, Request, parse
from services.dead.inbox import Inbox
from services.dead.letter import show_answer, show_number, table
from services.dead.shelf import Shelf
from services.runtime.settings import Settings, load, refuse

INTERRUPTED = 130  # status of a program that Ctrl-C ended, as shells have it

GONE = "no such dead letter"


def main() -> None:
    """Do what the command line asks; the status says whether all of it was done."""
    request = parse(sys.argv[1:])
    settings = load(Settings, PROGRAM, request.connection)
    if request.command == "delete" and not request.yes:
        confirm(f"Delete {len(request.ids) or 'all'} dead letters for good?")
    try:
        redis = connect(settings)
    except ValueError as error:  # a port that is no number, an unknown option
        refuse(PROGRAM, [f"--redis-url (PRIMES_REDIS_URL): {error}"])
    try:
        done = asyncio.run(run(request, redis, settings.redis_timeout))
        sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except RedisError as error:
        place = re.sub(r"//.*@", "//", settings.redis_url)  # without a password that it may hold
        complain(f"could not ask Redis at {place}: {error}")
        raise SystemExit(1) from None
    except BrokenPipeError:  # `list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        raise SystemExit(1) from None
    raise SystemExit(0 if done else 1)


def confirm(question: str) -> None:
    """Ends the program unless somebody says yes. Before the event loop runs: it would swallow the first Ctrl-C."""
    if not sys.stdin.isatty():
        refuse(PROGRAM, ["delete: expected --yes, since standard input is no terminal to ask"])
    try:
        answer = input(f"{question} [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        complain("nothing was deleted")
        raise SystemExit(1)


async def run(request: Request, redis: Redis, patience: float) -> bool:
    """Whether all was done. `patience`: seconds until a silent Redis counts as lost."""
    async with redis:
        shelf = Shelf(redis)
        if request.command == "list":
            return await show(shelf, request)
        # Taken down first: a job that fails again comes back as a new letter, which must not go round for ever.
        ids = request.ids or [letter.id async for letter in shelf.letters()]
        if not ids:
            print("No dead letters.")
            return True
        if request.command == "delete":
            return await delete(shelf, ids)
        async with Inbox(redis, patience) as inbox:
            return await Retrial(shelf, inbox).run(ids, request.timeout)


async def show(shelf: Shelf, request: Request) -> bool:
    """Print the letters."""
    if request.json:
        async for letter in shelf.letters(request.limit):
            print(letter.json())
        return True
    rows = [letter.row() async for letter in shelf.letters(request.limit)]
    print("\n".join(table(rows)) if rows else "No dead letters.")
    if request.limit and len(rows) == request.limit and (count := await shelf.count()) > len(rows):
        print(f"The oldest {len(rows)} of {count}.")
    return True


async def delete(shelf: Shelf, ids: list[str]) -> bool:
    """Delete these and say so."""
    gone = [id for id in ids if not await shelf.delete(id)]
    for id in gone:
        complain(f"{id}: {GONE}")
    print(f"Deleted {len(ids) - len(gone)}.")
    return not gone


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


if __name__ == "__main__":
    main()
