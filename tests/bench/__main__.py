"""Measures what a job costs through the queue and without it, side by side: `python -m tests.bench`, or `make bench`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from tests.bench import history, interpreters, load, measurement, questions, report, running
from tests.bench.cases import CASES, Case, Question
from tests.bench.load import Load
from tests.bench.measurement import Measurement, Results
from tests.bench.stacks import ROWS, Row

COSTLY = 3  # repetitions at most of cases that take long: all but the loops and rates
SHARED = 0.6  # of the time: the rest is for cases that have servers of their own
FREQUENT = ("plain-*", "v1-*", "rate-*")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    target: str  # of make
    about: str
    repetitions: int
    seconds: float  # of one measurement
    rows: tuple[str, ...]
    minutes: float = 10  # after which no case begins again; each is measured once in any case
    only: tuple[str, ...] = ("*",)


PLANS = {
    "whole": Plan("bench", "every case, ten minutes", 5, 2.0, ("stock", "picows", "direct", "primes")),
    "quick": Plan(
        "bench-quick",
        "under two minutes, for development",
        3,
        1.6,
        ("stock", "picows", "primes"),
        only=("plain-*", "v1-16x32"),
    ),
    "ci": Plan(
        "bench-ci", "about a minute", 4, 1.0, ("stock", "primes"), minutes=2, only=("plain-64x1", "plain-16x32", "v1-16x32")
    ),
}


def main() -> int:
    """Measure, show, keep; returns the exit status."""
    arguments = _parse(sys.argv[1:])
    if arguments.list:
        print("cases:", *(case.name for case in CASES), "\nrows:", *ROWS)
        return 0
    return running.finish("tests.bench", lambda: _show(arguments))


def _show(arguments: argparse.Namespace) -> int:
    results = Results(_command(arguments), measurement.machine(), measurement.versions(), list(_measure(arguments)))
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    if arguments.write:
        report.write(results)
    print(*report.sections(results), sep="\n")
    if figures := history.ratios(results.measurements):
        print(*report.table(history.COMPARISON, history.compare(figures, history.read())), sep="\n")
    if arguments.keep:
        history.append(figures, history.commit_here())
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    plans = ", ".join(f"{name}: {plan.about}" for name, plan in PLANS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Start rows of servers side by side and measure what each job costs them, until Ctrl-C. Every answer is"
        " checked; a wrong or missing one ends it with status 1, a missed target does not.",
    )
    parser.add_argument("plan", nargs="?", choices=PLANS, default="whole", metavar="PLAN", help=f"{plans} (default: whole)")
    parser.add_argument("--only", action="append", metavar="CASE", help="cases of this name or pattern (plain-*), may be repeated")
    parser.add_argument("--rows", metavar="ROW,ROW", type=_rows, help=f"of {', '.join(ROWS)}; ratios need stock")
    parser.add_argument(
        "--compose",
        action="store_true",
        help="measure the containers of docker-compose.yml, too, and stock Tornado in such (rows compose, compose-stock)",
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="the interpreter that runs the servers of all rows but compose, in an environment that is made for it at its first use"
        f" (default: this one, {sys.version.split()[0]}); the benchmark itself, nginx and Redis are the same with any",
    )
    parser.add_argument("--repetitions", type=int, metavar="N", help="of each measurement; long cases at most 3")
    parser.add_argument("--seconds", type=float, metavar="S", help="that one measurement takes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what was measured")
    parser.add_argument("--keep", action="store_true", help="append what was measured to docs/performance-history.csv")
    parser.add_argument("--minutes", type=float, metavar="M", help="after which no case begins again")
    parser.add_argument("--write", action="store_true", help="write tables and figure into docs/performance.md")
    parser.add_argument("--list", action="store_true", help="print the names of all cases and rows")
    told = parser.parse_args(arguments)
    plan = PLANS[told.plan]
    told.only = told.only or plan.only
    told.rows = (told.rows or plan.rows) + (("compose-stock", "compose") if told.compose else ())
    told.repetitions = told.repetitions or plan.repetitions
    told.seconds = told.seconds or plan.seconds
    told.minutes = told.minutes or plan.minutes
    return told


def _rows(text: str) -> tuple[str, ...]:
    """Names of rows; argparse shows this sentence when there is none of a name."""
    rows = tuple(text.split(","))
    if unknown := [row for row in rows if row not in ROWS]:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(ROWS)}, got {', '.join(unknown)}")
    return rows


def _command(arguments: argparse.Namespace) -> str:
    """As its user gave it, without what says where it is kept."""
    kept = [word for word in sys.argv[1:] if word not in (arguments.plan, "--write", "--keep")]
    if "--json" in kept:
        del kept[kept.index("--json") : kept.index("--json") + 2]
    if "--python" in kept:
        kept[kept.index("--python") + 1] = Path(arguments.python).name
    options = f" ARGS='{' '.join(kept)}'" if kept else ""
    return f"make {PLANS[arguments.plan].target}{options}"


def _measure(arguments: argparse.Namespace) -> Iterator[Measurement]:
    """All rows of a case within one repetition, one after the other; each repetition begins with another row."""
    asked = questions.write(load.BUILD / "questions.txt")
    python = interpreters.environment(arguments.python) if arguments.python else sys.executable
    began = time.monotonic()
    chosen = [case for case in CASES if any(fnmatch(case.name, pattern) for pattern in arguments.only)]
    shared = [case for case in chosen if case.servers is None]
    wanted = [name for name in arguments.rows if any(name in case.rows for case in shared)]
    with ExitStack() as ending:
        rows = [ending.enter_context(_started(name, python)) for name in wanted]
        for repetition in range(arguments.repetitions):
            for case in (case for case in shared if _due(case, repetition)):
                if repetition and time.monotonic() - began > SHARED * arguments.minutes * 60:
                    break
                for row in running.rotated([row for row in rows if row.name in case.rows], repetition):
                    yield _once(case, row, Question(asked, arguments.seconds, repetition))
    for repetition in range(arguments.repetitions):
        for case in (case for case in chosen if _due(case, repetition)):
            if repetition and time.monotonic() - began > arguments.minutes * 60:
                break
            if case.servers is not None and case.rows[0] in arguments.rows:
                with (
                    tempfile.TemporaryDirectory(prefix="primes-bench-") as directory,
                    case.servers(Path(directory), python=python) as row,
                ):
                    yield _once(case, row, Question(asked, arguments.seconds, repetition))


@contextmanager
def _started(name: str, python: str) -> Iterator[Row]:
    """A row's servers, in a temporary directory of their own, when they have answered."""
    print(f"starting {name}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="primes-bench-") as directory, ROWS[name](Path(directory), python=python) as row:
        with Load(row.port, 16, load.BUILD / "questions.txt", address=row.address) as first:
            first.closed(16, 1, 0)
        running.settle(row)
        yield row


def _due(case: Case, repetition: int) -> bool:
    return repetition < COSTLY or any(fnmatch(case.name, pattern) for pattern in FREQUENT)


def _once(case: Case, row: Row, question: Question) -> Measurement:
    """Measure and tell at once."""
    m = case.measure(row, question)
    running.tell(m)
    return m


if __name__ == "__main__":
    sys.exit(main())
