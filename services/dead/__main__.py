"""Lists, retries and deletes dead letters: `python -m services.worker.dead`."""

import asyncio
import os
import sys

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.broker.connection import connect
from services.dead.arguments import PROGRAM, DeleteLetters, ListLetters, Request, parse
from services.dead.inbox import Inbox
from services.dead.letter import table
from services.dead.retrial import GONE, Retrial, complain
from services.dead.shelf import Shelf
from services.runtime.settings import Settings, hide_password, load, refuse

INTERRUPTED = 130  # status of a program that Ctrl-C ended, as shells have it


def main() -> None:
    """Do what the command line asks; the status says whether all of it was done."""
    request = parse(sys.argv[1:])
    settings = load(Settings, PROGRAM, request.connection)
    if isinstance(request, DeleteLetters) and not request.yes:
        confirm(f"Delete {len(request.ids) or 'all'} dead letters for good?")
    redis = connect(settings)
    try:
        done = asyncio.run(run(request, redis, settings.redis_timeout))
        sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except RedisError as error:
        complain(f"could not ask Redis at {hide_password(settings.redis_url)}: {error}")
        raise SystemExit(1) from None
    except OSError as error:  # `list | head`, or a disk is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        if not isinstance(error, BrokenPipeError):
            complain(f"could not write to standard output: {error.strerror}")
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
        if isinstance(request, ListLetters):
            return await show(shelf, request)
        # Taken down first: a job that fails again comes back as a new letter, which must not go round for ever.
        ids = request.ids or [letter.id async for letter in shelf.letters()]
        if not ids:
            print("No dead letters.")
            return True
        if isinstance(request, DeleteLetters):
            return await delete(shelf, ids)
        async with Inbox(redis, patience) as inbox:
            return await Retrial(shelf, inbox).run(ids, request.timeout)


async def show(shelf: Shelf, request: ListLetters) -> bool:
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


if __name__ == "__main__":
    main()
