"""Every test, the cheap first, side by side where they do not disturb each other: `python -m tests.suite`, or `make test`."""

import asyncio
import os
import signal
import subprocess
import sys

from tests.suite import table
from tests.suite.part import TIMED_OUT, Part
from tests.suite.run import Run

WHOLE = 66 * 60  # seconds of a whole run; with what stopping takes it ends within 70 minutes, whatever happens
TOLD = 30  # seconds before a part's limit at which pytest ends the run itself, and still tells what failed
STOP = 90  # seconds in which the engine ends; the script's own bound is 60
INTERRUPTED = 130  # exit status, as a shell has it after Ctrl-C


def _pytest(limit: int, *arguments: str) -> tuple[str, ...]:
    """The command, which on CI tells what broke all that follows, rather than run to its limit."""
    patience = ("--maxfail=10",) if os.environ.get("CI") == "true" else ()
    return (".venv/bin/pytest", f"--session-timeout={limit - TOLD}", *patience, *arguments)


def _side_by_side(limit: int, *arguments: str) -> tuple[str, ...]:
    """Two processes, to which files are given whole and in order, the long ones first; a file's tests share ports and stacks."""
    return _pytest(limit, "--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder", *arguments)


ON_THEIR_OWN, IN_CONTAINERS = ("-m", "not containers"), ("-m", "containers")

# A failure here ends the run, within three minutes. Plain: without root, engine and network, as on a developer's machine.
COMPILER = Part("C compiler", 170, (".ci/install.sh", "cc", "gcc", "libc6-dev"))
LINT = Part("lint", 170, (".ci/plain.sh", "make", "--no-print-directory", "lint"))
TYPES = Part("types", 170, ("make", "--no-print-directory", "types"))
UNIT = Part("unit tests", 170, (".ci/plain.sh", *_side_by_side(170, *ON_THEIR_OWN, "tests/unit", "tests/config")))

CONTAINERS_READY = Part("engine, images, Chromium", 900, (".ci/containers.sh",))
PROCESSES = Part("tests of processes", 900, _side_by_side(900, *ON_THEIR_OWN, "tests/chaos", "tests/system", "tests/integration"))
WITHOUT = Part("tests of containers without an engine", 120, (".ci/plain.sh", "env", "--unset=CI", *_pytest(120, *IN_CONTAINERS)))
# Two stacks, each with about half of the tests. They wait more than they compute.
ALERTS = "tests/system/test_alerts.py"
CONTAINERS = Part(
    "tests of containers",
    1_500,
    (".ci/engine/with.sh", *_pytest(1_500, *IN_CONTAINERS, "tests/system", f"--deselect={ALERTS}")),
)
MORE_CONTAINERS = Part(
    "tests of containers, second stack",
    1_500,
    (
        *(".ci/engine/with.sh", "env", "TEST_STACK=1"),
        *_pytest(1_500, *IN_CONTAINERS, "tests/config", "tests/browser", "tests/chaos", ALERTS),
    ),
)
# On what CPU the containers' tests leave: tracing takes the unit tests twice their time.
COVERAGE = Part("coverage", 1_500, ("nice", "-n", "19", "make", "--no-print-directory", "coverage"))
# Alone: what it measures is CPU.
BENCHMARK = Part("benchmark", 240, ("make", "--no-print-directory", "bench-ci"))

PARTS = (COMPILER, LINT, TYPES, UNIT, CONTAINERS_READY, PROCESSES, WITHOUT, CONTAINERS, MORE_CONTAINERS, COVERAGE, BENCHMARK)


async def suite(run: Run) -> None:
    """Run the parts. After the fast ones each runs though another failed, so that a run tells all that is wrong."""
    async with asyncio.TaskGroup() as group:
        compiler = group.create_task(run.out_of_sight(COMPILER))
        ready = group.create_task(_after(compiler, run, CONTAINERS_READY))
        if not await run.until_one_fails(UNIT, LINT, TYPES):
            compiler.cancel()
            ready.cancel()
            return
        await compiler
        await run.in_sight(PROCESSES)
        await run.in_sight(WITHOUT)
    async with asyncio.TaskGroup() as group:
        group.create_task(run.out_of_sight(MORE_CONTAINERS))
        group.create_task(run.out_of_sight(COVERAGE))
        await run.in_sight(CONTAINERS)
    await run.in_sight(BENCHMARK)


async def _after(before: "asyncio.Task[bool]", run: Run, part: Part) -> None:
    """apt takes one user at a time."""
    await before
    await run.out_of_sight(part)


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
    somebodys = _engine_answers()  # an engine that ran before is used, and left running
    status = 0
    try:
        asyncio.run(_bounded(run))
    except TimeoutError:
        print(f"\nthe run took longer than {WHOLE} s", file=sys.stderr)
        status = TIMED_OUT
    except KeyboardInterrupt:
        status = INTERRUPTED
    finally:
        if not somebodys:
            subprocess.run([".ci/engine/stop.sh"], check=False, timeout=STOP)
    run.read_out()
    print("", *table.lines(PARTS, run.results), sep="\n")
    return run.status or status


if __name__ == "__main__":
    sys.exit(main())
