"""What is told of peers: what a job costs each of their parts, and how many times that of the service it is."""

from collections.abc import Mapping, Sequence

from tests.bench.history import FEWEST
from tests.bench.measurement import Measurement, Results
from tests.bench.ratios import Spread, paired, ratio, values
from tests.bench.report import COMPONENTS, DOCUMENT, figure, insert, median, runtimes, spread, table

BASE = "primes"
BEGIN, END = "<!-- measured by make bench-peers -->", "<!-- the peers end here -->"


def claim(found: Spread, repetitions: int) -> str:
    """A ratio with its range, and what it allows to be said."""
    if found.least <= 1 <= found.most:
        return f"{spread(found)}: within the spread"
    if repetitions < FEWEST:
        return f"{spread(found)}: too few repetitions to tell"
    return f"{spread(found)}: {'more' if found.median > 1 else 'less'}"


def costs(measurements: Sequence[Measurement]) -> list[str]:
    """Every case and row."""
    rows = []
    for case, row in sorted({(m.case, m.row): None for m in measurements}, key=lambda each: each[0], reverse=True):
        same = [m for m in measurements if (m.case, m.row) == (case, row)]
        of, to = (values(measurements, case, name, lambda m: m.total) for name in (row, BASE))
        against = paired(of, to, ratio) if row != BASE else None
        parts = [Spread.of(m.cpu[name] for m in same if name in m.cpu) for name in COMPONENTS]
        cells = [spread(Spread.of(m.total for m in same)), *(figure(part.median) if part else "" for part in parts)]
        cells.append(claim(against, len(of.keys() & to.keys())) if against else "")
        cells += [median(m.rate for m in same), median(m.p50 for m in same), median(m.p99 for m in same)]
        rows.append((case, row, *cells, median(m.commands for m in same)))
    head = ("case", "row", "CPU µs a job", *COMPONENTS, f"× {BASE}", "answers/s", "p50 ms", "p99 ms", "Redis commands a job")
    return table(head, rows, 2) if rows else []


def sections(results: Results, failed: Mapping[str, str]) -> list[str]:
    """The table, what it comes from, and which peers failed with what."""
    repetitions = len({m.repetition for m in results.measurements})
    return [
        f"`{results.command}`, up to {repetitions} repetitions: median (least–most). {results.machine}.",
        f"{results.versions}.",
        *runtimes(results.measurements),
        "",
        *costs(results.measurements),
        *(f"\n`{row}` is left out from there on: {reason}" for row, reason in failed.items()),
    ]


def write(lines: Sequence[str]) -> None:
    """Put them into the documentation."""
    DOCUMENT.write_text(insert(DOCUMENT.read_text(), [*lines, ""], BEGIN, END))
