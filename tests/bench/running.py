"""What every command that measures rows needs: open files, an end by SIGTERM, rest, turns, and a line for each measurement."""

import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn, TypeVar

from local import programs
from tests.bench import cpu, interpreters, load
from tests.bench.measurement import Measurement
from tests.bench.stacks import Row
from tests.integration.processes import state

T = TypeVar("T")

LOOKS, INTERVAL = 20, 0.05  # seconds
RESTING = 0.25  # of the looks find a process that runs, or would if it had a processor: some look for work all the time
PATIENCE = 60  # seconds that servers get to come to rest

FAILURES = (load.Failed, load.NoCompiler, programs.NotFound, interpreters.Unusable, RuntimeError)


def prepare() -> None:
    """Let servers and load generator open as many files as the machine allows, and SIGTERM end this as Ctrl-C does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, _end)


def _end(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def finish(program: str, measure: Callable[[], int]) -> int:
    """Prepare, measure and show; returns the exit status. What ends it before is said on standard error in the program's name."""
    prepare()
    try:
        load.build()
        return measure()
    except FAILURES as error:
        print(f"python -m {program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"python -m {program}: interrupted, everything that it started has ended", file=sys.stderr)
        return 130


def settle(row: Row) -> None:
    """Wait until its servers rest, since what child processes load at first is no job's; says so if they do not."""

    def busy() -> bool:
        time.sleep(INTERVAL)
        return any(state(pid) == "R" for pid in cpu.family(roots, cpu.read()))

    roots = [pid for members in row.components.values() for pid in members]
    deadline = time.monotonic() + PATIENCE
    while sum(busy() for _ in range(LOOKS)) > RESTING * LOOKS:
        if time.monotonic() > deadline:
            print(
                f"{row.name} does not come to rest within {PATIENCE} s, and is measured all the same", file=sys.stderr, flush=True
            )
            return


def rest(seconds: float) -> None:
    """Let time pass, which is measured."""
    time.sleep(seconds)


@contextmanager
def beside(work: Callable[[], T]) -> Iterator["Future[T]"]:
    """Have this done in a thread; at the end of the block it is over, and what it raised is raised."""
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(work)
        yield future
    future.result()


def rotated(rows: Sequence[T], by: int) -> list[T]:
    """Each repetition begins with another row."""
    by %= len(rows) or 1
    return [*rows[by:], *rows[:by]]


def tell(m: Measurement) -> None:
    """At once, while the others are measured."""
    parts = " ".join(f"{name} {cost:.0f}" for name, cost in m.cpu.items())
    print(
        f"{m.repetition + 1}  {m.case:<13} {m.row:<8} {m.total:7.1f} µs a job ({parts}), {m.rate:,.0f}/s",
        file=sys.stderr,
        flush=True,
    )
