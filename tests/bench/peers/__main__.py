"""Measures what a job costs other queues behind WebSockets, beside this service: `make bench-peers`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.bench import interpreters, load, measurement, questions, running
from tests.bench.cases import LOOPS, Closed, Question
from tests.bench.load import Load
from tests.bench.measurement import Measurement, Results
from tests.bench.peers import report
from tests.bench.peers.rows import ROWS
from tests.bench.peers.rows import versions as versions_of
from tests.bench.stacks import Row

DIGITS = 12
CASES = [Closed(f"plain-{clients}x{window}", clients, window, tuple(ROWS)) for clients, window in LOOPS if clients != 256]
CHECKED = 2_000  # answers, each of which must be right before anything is measured
WARM_UP = 3.0  # seconds: Node compiles what runs often

# What a peer may come to: it is told, and the others are measured.
FAILURES = (load.Failed, interpreters.Unusable, RuntimeError, AssertionError)


def main() -> int:
    """Measure, show, keep; returns the exit status."""
    arguments = _parse(sys.argv[1:])
    return running.finish("tests.bench.peers", lambda: _compare(arguments))


def _compare(arguments: argparse.Namespace) -> int:
    failed: dict[str, str] = {}
    found = list(_measure(arguments, failed))
    versions = ", ".join(filter(None, (measurement.versions(), versions_of(arguments.rows))))
    results = Results(_command(), measurement.machine(), versions, found)
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    lines = report.sections(results, failed)
    if arguments.write:
        report.write(lines)
    print(*lines, sep="\n")
    return 1 if failed else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.peers",
        description=f"Start this service and its peers, one after the other, each with four web processes and two workers, ask"
        f" integers of {DIGITS} digits over WebSockets, and tell what a job costs. Every answer is checked; a peer that fails is"
        " told and left out, and the status is 1. What the peers need is installed from PyPI and npm at their first use, into"
        " build/bench.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--rows", metavar="ROW,ROW", type=_rows, default=",".join(ROWS), help="which of them; ratios need primes")
    parser.add_argument("--repetitions", type=int, metavar="N", default=4, help="of each measurement; fewer than 4 claim nothing")
    parser.add_argument("--seconds", type=float, metavar="S", default=2.0, help="that one measurement takes")
    parser.add_argument("--minutes", type=float, metavar="M", default=10, help="after which no row begins again")
    parser.add_argument("--python", metavar="PATH", default=sys.executable, help="the interpreter of all rows but Node's")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what was measured")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    return parser.parse_args(arguments)


def _rows(text: str) -> tuple[str, ...]:
    """Names of rows; argparse shows this sentence when there is none of a name."""
    rows = tuple(text.split(","))
    if unknown := [row for row in rows if row not in ROWS]:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(ROWS)}, got {', '.join(unknown)}")
    return rows


def _command() -> str:
    """As its user gave it, without what says where things are."""
    kept = [word for word in sys.argv[1:] if word != "--write"]
    for option in ("--json", "--python"):
        if option in kept:
            del kept[kept.index(option) : kept.index(option) + 2]
    return "make bench-peers" + (f" ARGS='{' '.join(kept)}'" if kept else "")


def _measure(arguments: argparse.Namespace, failed: dict[str, str]) -> Iterator[Measurement]:
    """One row after the other, alone on the machine: some of them work while nobody asks."""
    asked = questions.write(load.BUILD / f"questions-{DIGITS}.txt", digits=DIGITS)
    own = sys.executable == arguments.python
    pythons = {"primes": arguments.python if own else interpreters.environment(arguments.python)}
    began = time.monotonic()
    for repetition in range(arguments.repetitions):
        for name in running.rotated(arguments.rows, repetition):
            if name in failed or (repetition and time.monotonic() - began > arguments.minutes * 60):
                continue
            try:
                with _started(name, pythons.get(name, arguments.python), asked) as row:
                    for case in CASES:
                        m = case.measure(row, Question(asked, arguments.seconds, repetition))
                        running.tell(m)
                        yield m
            except FAILURES as error:
                failed[name] = str(error)
                print(f"{name}: {error}", file=sys.stderr, flush=True)


@contextmanager
def _started(name: str, python: str, asked: Path) -> Iterator[Row]:
    """A row's servers, in a temporary directory of their own, when they have answered rightly so often."""
    with tempfile.TemporaryDirectory(prefix="primes-peers-") as directory, ROWS[name](Path(directory), python=python) as row:
        with Load(row.port, 64, asked, address=row.address) as first:
            first.closed(64, 1, 0)
            first.closed(64, 8, 60, CHECKED)
            running.settle(row)
            first.closed(64, 8, WARM_UP)
        yield row


if __name__ == "__main__":
    sys.exit(main())
