"""Every test, the cheap first, side by side where they do not disturb each other: `python -m tests.suite`, or `make test`."""

import asyncio
import os
import signal
import subprocess
import sys

from tests.suite import table
from tests.suite.part import TIMED_OUT
from tests.suite.parts import (
    BENCHMARK,
    CHART,
    CONTAINERS,
    CONTAINERS_READY,
    FIREFOX,
    LINT,
    MORE_CONTAINERS,
    PARTS,
    SCAN,
    TOOLS,
    TYPES,
    UNIT,
    WITHOUT_AN_ENGINE,
)
from tests.suite.run import Run

WHOLE = 76 * 60  # seconds of a whole run; with what stopping takes it ends within 80 minutes, whatever happens
STOP = 90  # seconds in which the engine ends; the script's own bound is 60
INTERRUPTED = 130  # exit status, as a shell has it after Ctrl-C


async def suite(run: Run) -> None:
    """Run the parts. After the fast ones each runs though another failed, so that a run tells all that is wrong."""
    await run.out_of_sight(TOOLS)  # first: apt takes one user at a time
    async with asyncio.TaskGroup() as group:
        ready = group.create_task(run.out_of_sight(CONTAINERS_READY))
        if not await run.until_one_fails(UNIT, LINT, SCAN, CHART, TYPES):
            ready.cancel()
            return
        for part in WITHOUT_AN_ENGINE:
            await run.in_sight(part)
    for part in (FIREFOX, CONTAINERS, MORE_CONTAINERS):
        await run.in_sight(part)
    await run.in_sight(BENCHMARK)


async def _bounded(run: Run) -> None:
    async with asyncio.timeout(WHOLE):
        await suite(run)


def _engine_answers() -> bool:
    return subprocess.run([".ci/engine/with.sh", "docker", "version"], capture_output=True, check=False, timeout=60).returncode == 0


def heed_interrupts() -> None:
    """SIGTERM ends a run as Ctrl-C does; Ctrl-C does though a shell started the run in the background, where SIGINT is ignored.

    What the run starts would inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def main() -> int:
    """Run everything, stop what was started, tell what each part took; returns the exit status."""
    heed_interrupts()
    run = Run()
    starts_engine = os.geteuid() == 0 and not _engine_answers()  # one that ran before is used, and left running
    status = 0
    try:
        asyncio.run(_bounded(run))
    except TimeoutError:
        print(f"\nthe run took longer than {WHOLE} s", file=sys.stderr)
        status = TIMED_OUT
    except KeyboardInterrupt:
        status = INTERRUPTED
    finally:
        if starts_engine:
            subprocess.run([".ci/engine/stop.sh"], check=False, timeout=STOP)
    run.read_out()
    print("", *table.lines(PARTS, run.results), sep="\n")
    if run.failures:  # last, where whoever sees the end of a long log alone finds them
        print("\nwhat failed:", *run.failures, sep="\n")
    return run.status or status


if __name__ == "__main__":
    sys.exit(main())
