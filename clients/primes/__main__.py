"""The command `primes`: asks a server about numbers, and prints and checks its answers."""

import asyncio
import io
import os
import signal
import sys

from certificates.__main__ import main as verify

from .arguments import VERIFY, Request, parse
from .checkpoint import Checkpoint, Unusable
from .client import Unreachable
from .lines import printable
from .questions import Unreadable
from .run import Run

FAILED, WRONG = 1, 2  # statuses
SIGNALLED = 128  # and the signal's number: the status of a program that a signal ended, as shells have it


def main() -> int:
    """Do what the command line asks; the status."""
    # These are None where whoever started this closed them: the next file that is opened would be read in place of the first.
    nothing_to_read = sys.stdin is None or sys.stdin.isatty()
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the end
    if sys.stdout is None:
        return complain("standard output is closed", FAILED)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for a terminal that has not all characters
    if sys.argv[1:2] == [VERIFY]:
        return verify(sys.argv[2:], "primes verify")
    request = parse(sys.argv[1:], os.environ, nothing_to_read)
    kind = {"operation": request.operation, **request.options}
    try:
        checkpoint = Checkpoint(request.state, kind)
    except Unusable as error:
        return complain(str(error), WRONG)
    try:
        return asyncio.run(go(request, checkpoint))
    finally:
        checkpoint.close()


async def go(request: Request, checkpoint: Checkpoint) -> int:
    """One run, until all is answered or a signal ends it; the status."""
    before = checkpoint.done
    run = Run(request, checkpoint, sys.stdout, sys.stderr)
    task = asyncio.create_task(run.go())
    received: list[int] = []

    def stop(number: int) -> None:
        if not received:  # a second one must not cut short what the first began
            task.cancel()
        received.append(number)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
        rest = "the rest is cancelled" if request.state is None else f"the same command with --resume {request.state} goes on"
        return complain(f"stopped after {count(run.done)}; {rest}", SIGNALLED + received[0])
    except (Unusable, Unreadable) as error:
        return complain(str(error), WRONG)
    except BaseExceptionGroup as group:
        return explain(group)
    if before and not run.done:
        complain(f"all {count(before)} were printed before; delete {request.state} to ask anew", 0)
    return FAILED if checkpoint.failed else 0


def explain(group: BaseExceptionGroup[BaseException]) -> int:
    """Tell what ended the run; the status. Raises what it does not know."""
    known, unknown = group.split((Unreachable, Unreadable, Unusable, OSError))
    if unknown is not None or known is None:
        raise group
    error: BaseException = known
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError):  # of standard output: what others there are have become one of these
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        told = isinstance(error, BrokenPipeError)  # `primes … | head`
        return FAILED if told else complain(f"standard output: {error.strerror}", FAILED)
    return complain(str(error), FAILED if isinstance(error, Unreachable) else WRONG)


def count(answers: int) -> str:
    """So many answers, in words."""
    return f"{answers:,} answer{'' if answers == 1 else 's'}"


def complain(sentence: str, status: int) -> int:
    """On standard error; returns the status."""
    print(f"primes: {printable(sentence)}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
