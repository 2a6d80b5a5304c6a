"""The tables of `docs/performance.md`, from what was measured: `python -m tests.bench.report FILE [--write]`."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tests.bench import plot
from tests.bench.measurement import Measurement, Results
from tests.bench.ratios import Spread, alike, paired, ratio, stock_of, values
from tests.bench.targets import TARGETS

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
FIGURE = DOCUMENT.with_name("performance-queue.svg")
BEGIN, END = "<!-- make bench writes what follows -->", "<!-- until here -->"

COMPONENTS = ("nginx", "web", "worker", "redis")
OURS = {"primes": "processes", "compose": "containers"}  # rows that have targets, as the table calls them


def figure(value: float) -> str:
    """Three significant digits, thousands marked, no exponent."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"


def spread(value: Spread | None, unit: str = "") -> str:
    """The median, and in brackets the least and the most."""
    if value is None:
        return ""
    return f"{figure(value.median)}{unit} ({figure(value.least)}–{figure(value.most)})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Lines of a Markdown table, aligned for a terminal; all but the first `left` columns to the right."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = tuple("-" * width if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths))
    padded = (
        (
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (lines[0], rule, *lines[1:])
    )
    return [f"| {' | '.join(cells)} |" for cells in padded]


def targets(measurements: Sequence[Measurement]) -> list[str]:
    """Each target that was measured, what was reached, and whether that will do."""
    rows = []
    for target in TARGETS:
        bound = f"{'≤' if target.side == 'most' else '≥'} {target.bound:,g}{target.unit}"
        for row, kind in OURS.items():
            if reached := target.reached(measurements, row):
                rows.append((target.what, bound, kind, spread(reached), "yes" if target.met(reached) else "**no**"))
    return table(("target", "bound", "of", "reached", "met"), rows, 3)


def costs(measurements: Sequence[Measurement]) -> list[str]:
    """Every case and row."""
    rows = []
    for case, row in dict.fromkeys((m.case, m.row) for m in measurements if not m.case.startswith("scale-")):
        same = [m for m in measurements if (m.case, m.row) == (case, row)]
        base = stock_of(row)
        against = paired(
            values(measurements, case, row, lambda m: m.total),
            values(measurements, case.replace("v1", "plain"), base, lambda m: m.total),
            ratio,
        )
        parts = [Spread.of(m.cpu[name] for m in same if name in m.cpu) for name in COMPONENTS]
        cells = [spread(Spread.of(m.total for m in same)), *(figure(part.median) if part else "" for part in parts)]
        cells.append(figure(against.median) if against and row != base and alike(measurements, row, base) else "")
        cells += [median(m.rate for m in same), median(m.p50 for m in same), median(m.p99 for m in same)]
        cells += [median(m.spread for m in same), median(m.commands for m in same), median(m.load for m in same)]
        rows.append((case, row, *cells))
    head = (
        "case",
        "row",
        "CPU µs a job",
        *COMPONENTS,
        "× stock",
        "answers/s",
        "p50 ms",
        "p99 ms",
        "worst p99/p50",
        "Redis commands a job",
    )
    return table((*head, "load generator µs"), rows, 2)


def median(found: Iterable[float | None]) -> str:
    """Of those that were measured; empty if none was."""
    told = Spread.of(value for value in found if value)
    return figure(told.median) if told else ""


def idle(measurements: Sequence[Measurement]) -> list[str]:
    """Sockets that do nothing."""
    rows = []
    for row in dict.fromkeys(m.row for m in measurements if m.memory is not None):
        same = [m for m in measurements if m.row == row and m.memory is not None]
        found = [[m.memory for m in same], [m.accepted for m in same], [m.opening for m in same]]
        rows.append((row, *(spread(Spread.of(value for value in told if value is not None)) for told in found)))
    head = ("row", "KiB of the web processes a socket", "sockets accepted a second", "CPU µs a socket accepted")
    return table(head, rows) if rows else []


def scaling(measurements: Sequence[Measurement]) -> list[str]:
    """Answers a second by the number of web processes and workers, and how much of a core each process was busy meanwhile."""
    rows = []
    for case in dict.fromkeys(m.case for m in measurements if m.case.startswith("scale-")):
        webs, workers = map(int, case.removeprefix("scale-").split("x"))
        same = [m for m in measurements if m.case == case]
        each = {"nginx": 1, "web": webs, "worker": workers, "redis": 1}
        busy = [Spread.of(m.cpu[part] * m.rate / count / 1_000_000 for m in same) for part, count in each.items()]
        loaded = Spread.of((m.total + m.load) * m.rate / 1_000_000 for m in same)
        shares = [f"{share.median:.0%}" for share in busy if share]
        rows.append(
            (webs, workers, spread(Spread.of(m.rate for m in same)), *shares, median(m.commands for m in same), spread(loaded))
        )
    told = [tuple(map(str, row)) for row in rows]
    parts = ("nginx", "a web process", "a worker", "Redis")
    head = (
        "web processes",
        "workers",
        "answers/s",
        *(f"{part} busy" for part in parts),
        "Redis commands a job",
        "cores busy in all",
    )
    return table(head, told, 0) if told else []


def runtimes(measurements: Sequence[Measurement]) -> list[str]:
    """What each row ran on, and which are not compared for that."""
    rows = {m.row: m.runtime for m in measurements}
    lines = [
        f"{runtime}: {', '.join(f'`{row}`' for row in rows if rows[row] == runtime)}."
        for runtime in dict.fromkeys(filter(None, rows.values()))
    ]
    bases = {stock_of(row) for row in rows}
    if bases & rows.keys() and (apart := [row for row in rows if not alike(measurements, row, stock_of(row))]):
        lines.append(f"Without a stock Tornado of their kind, containers or processes, on their interpreter: {', '.join(apart)}.")
    return lines


def sections(results: Results) -> list[str]:
    """All tables, and what they come from."""
    measurements = results.measurements
    repetitions = len({m.repetition for m in measurements})
    lines = [
        f"`{results.command}`, up to {repetitions} repetitions: median (least–most). {results.machine}.",
        f"{results.versions}.",
        *runtimes(measurements),
        "",
    ]
    for head, found in (
        ("### Targets", targets(measurements)),
        ("### Cost, speed, latency", costs(measurements)),
        ("### 10,000 idle sockets", idle(measurements)),
        ("### Scaling: 16 clients with 32 jobs in flight each", scaling(measurements)),
    ):
        if len(found) > 2:
            lines += [head, "", *found, ""]
    return lines


def insert(document: str, lines: Sequence[str], first: str = BEGIN, last: str = END) -> str:
    """The document with these lines between its markers. Raises ValueError if it does not have both, once, in this order."""
    before, begin, rest = document.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end or first in rest or last in after:
        raise ValueError(f"expected one {first!r} and then one {last!r}")
    return "\n".join([before + begin, "", *lines, end + after])


def write(results: Results) -> None:
    """Put tables and figure into the documentation."""
    plot.draw(results.measurements, FIGURE)
    picture = f"![CPU per job by component]({FIGURE.name})"
    DOCUMENT.write_text(insert(DOCUMENT.read_text(), [*sections(results), picture, ""]))


def main() -> None:
    """Show what a file holds, or write it into the documentation."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="what `--json` of the benchmark wrote")
    parser.add_argument("--write", action="store_true", help=f"write tables and figure into {DOCUMENT.parent.name}/{DOCUMENT.name}")
    arguments = parser.parse_args()
    results = msgspec.json.decode(arguments.file.read_bytes(), type=Results)
    if arguments.write:
        write(results)
    sys.stdout.write("\n".join(sections(results)))


if __name__ == "__main__":
    main()
