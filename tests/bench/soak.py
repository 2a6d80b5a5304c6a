"""Shows what memory the parts take in an hour at half of what the machine bears: `make soak`, `python -m tests.bench.soak`."""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from tests.bench import bulk, load, measurement, plot, questions, running, stacks
from tests.bench.load import Load
from tests.bench.report import table
from tests.bench.scale import memory, say
from tests.bench.stacks import Row

FIGURE = Path(__file__).parents[2] / "docs" / "soak.svg"
SOCKETS, CLIENTS = 1_000, 64  # open of each protocol, and of these those that ask
ROUND = 30.0  # seconds in which both protocols are asked; then sockets are opened anew, and a list is sent
LIST = 2_000_000  # bytes of it
# Sessions and uploads are kept for a minute, not for ten and for an hour: what is kept soon takes all that it ever will.
OPTIONS = {"web": ["--session-ttl", "60", "--upload-ttl", "60"]}
FLAT = 0.05  # by which the last quarter's median may exceed that of the second: the first fills caches and histories


class Sample(msgspec.Struct, frozen=True):
    """Bytes of each part, so many seconds after the beginning."""

    seconds: float
    memory: dict[str, int]


class Soak(msgspec.Struct, frozen=True):
    """What `--json` writes."""

    machine: str
    versions: str
    rate: float  # numbers a second over both protocols
    answered: int
    samples: list[Sample]


def main() -> int:
    """Run and show; returns the exit status."""
    arguments = _parse(sys.argv[1:])
    return running.finish("tests.bench.soak", lambda: _measure(arguments))


def _measure(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="primes-bench-") as directory:
        soak = run(Path(directory), arguments)
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.encode(soak))
    if arguments.write:
        plot.draw_memory(
            {name: [(each.seconds, each.memory[name]) for each in soak.samples] for name in soak.samples[0].memory}, FIGURE
        )
    print(*describe(soak), sep="\n")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.soak", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="how long")
    parser.add_argument("--rate", type=float, default=0.0, help="numbers a second; 0: half of what a closed loop reaches at first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what was measured")
    parser.add_argument("--write", action="store_true", help="draw docs/soak.svg")
    return parser.parse_args(arguments)


def run(directory: Path, arguments: argparse.Namespace) -> Soak:
    """Both protocols at a fixed rate, in rounds. Raises Failed when an answer is wrong or missing."""
    asked = questions.write(load.BUILD / "questions.txt")
    lines = [line.split() for line in asked.read_bytes().splitlines()]
    upload = bulk.fill(lines, LIST)
    with stacks.primes(directory, options=OPTIONS) as row:
        running.settle(row)
        rate = arguments.rate or _half(row, asked)
        say(f"{rate:,.0f} numbers a second")
        began, answered = time.monotonic(), 0
        samples = [Sample(0.0, memory(row))]
        while (passed := time.monotonic() - began) < arguments.minutes * 60:
            answered += _round(row, asked, rate) + bulk.send(row.address, row.port, *upload).answers
            samples.append(Sample(time.monotonic() - began, memory(row)))
            say(
                f"{passed / 60:5.1f} min, {answered:,} answers: "
                + ", ".join(f"{n} {m / 2**20:,.0f}" for n, m in samples[-1].memory.items())
            )
    return Soak(measurement.machine(), measurement.versions(), rate, answered, samples)


def _half(row: Row, asked: Path) -> float:
    """Of the numbers a second that both protocols together reach."""
    rates = []
    for protocol in ("plain", "v1"):
        with Load(row.port, CLIENTS, asked, protocol=protocol) as clients:
            clients.closed(CLIENTS, 1, 1.0)
            rates.append(clients.closed(CLIENTS, 1, 5.0).rate)
    return statistics.harmonic_mean(rates) / 2


def _round(row: Row, asked: Path, rate: float) -> int:
    """Both protocols at once, on new sockets; returns how many answers came, all of which were right."""
    with ExitStack() as open_sockets:
        opened = [open_sockets.enter_context(Load(row.port, SOCKETS, asked, protocol=protocol)) for protocol in ("plain", "v1")]
        runs = [
            open_sockets.enter_context(running.beside(lambda each=each: each.open(CLIENTS, rate / 2, ROUND))) for each in opened
        ]
        return sum(each.result().answered for each in runs)


def describe(soak: Soak) -> Iterator[str]:
    """What each part took, and whether that is flat."""
    minutes = soak.samples[-1].seconds / 60
    yield f"{minutes:.0f} minutes at {soak.rate:,.0f} numbers a second, {soak.answered:,} answers, all right."
    yield f"{soak.machine}. {soak.versions}."
    yield ""
    rows = []
    for name in soak.samples[0].memory:
        quarters = [_median(soak, name, quarter) / 2**20 for quarter in range(4)]
        flat = "yes" if quarters[3] <= quarters[1] * (1 + FLAT) else "**no**"
        rows.append(
            (name, *(f"{each:,.1f}" for each in quarters), f"{max(each.memory[name] for each in soak.samples) / 2**20:,.1f}", flat)
        )
    yield from table(("part", "1st quarter, MiB", "2nd", "3rd", "4th", "most", "flat"), rows)


def _median(soak: Soak, name: str, quarter: int) -> float:
    whole = soak.samples[-1].seconds
    found = [each.memory[name] for each in soak.samples if quarter <= 4 * each.seconds / whole < quarter + 1]
    return statistics.median(found or [soak.samples[-1].memory[name]])


if __name__ == "__main__":
    sys.exit(main())
