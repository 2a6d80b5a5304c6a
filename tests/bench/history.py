"""Figures of former commits, `docs/performance-history.csv`: what was measured now is shown beside the last of them."""

import csv
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.measurement import Measurement
from tests.bench.ratios import alike, paired, ratio, stock_of, values
from tests.integration.processes import ROOT

HISTORY = ROOT / "docs" / "performance-history.csv"

STOCK = "× stock"
INSTRUCTIONS = "instructions a job"
COUNTED = 0  # in the place of repetitions: `least` and `most` are known bounds

# Repetitions below which ranges that do not overlap say nothing: of twice two equal things one in three is so by chance, of twice
# four one in 35.
FEWEST = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """What one row came to in one case."""

    row: str  # case and row
    unit: str
    median: float
    least: float
    most: float
    repetitions: int


@dataclass(frozen=True, slots=True)
class Kept(Figure):
    """A figure of a former commit."""

    commit: str
    date: str


HEAD = ("commit", "date", *(field.name for field in fields(Figure)))


def ratios(measurements: Sequence[Measurement]) -> list[Figure]:
    """CPU a job of every row in every case as times that of stock in the same repetition, where both are alike."""
    found = []
    for case, row in dict.fromkeys((m.case, m.row) for m in measurements):
        base = stock_of(row)
        of = values(measurements, case, row, lambda m: m.total)
        to = values(measurements, case.replace("v1", "plain"), base, lambda m: m.total)
        if row != base and alike(measurements, row, base) and (spread := paired(of, to, ratio)):
            figures = (round(each, 3) for each in (spread.median, spread.least, spread.most))
            found.append(Figure(f"{case} {row}", STOCK, *figures, len(of.keys() & to.keys())))
    return found


def counted(instructions: float, row: str, within: float) -> Figure:
    """Instructions a job, which two runs tell alike `within` this share."""
    bounds = (round(instructions * factor) for factor in (1, 1 - within, 1 + within))
    return Figure(row, INSTRUCTIONS, *bounds, COUNTED)


def read(path: Path = HISTORY) -> list[Kept]:
    """All that is kept, oldest first; nothing where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Kept(
                row=line["row"],
                unit=line["unit"],
                median=float(line["median"]),
                least=float(line["least"]),
                most=float(line["most"]),
                repetitions=int(line["repetitions"]),
                commit=line["commit"],
                date=line["date"],
            )
            for line in csv.DictReader(file)
        ]


def commit_here() -> str:
    """The commit that is checked out; a mark says where files differ from it."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{HISTORY.relative_to(ROOT)}")
    return _git("rev-parse", "--short", "HEAD") + ("-changed" if changed else "")


def append(figures: Iterable[Figure], commit: str, path: Path = HISTORY) -> None:
    """Keep these, as figures of this commit."""
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        if fresh:
            lines.writerow(HEAD)
        for figure in figures:
            lines.writerow((commit, datetime.now(UTC).date().isoformat(), *astuple(figure)))


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def judge(now: Figure, last: Kept) -> str:
    """Whether it changed, as far as the spread of both allows that to be said."""
    if now.least <= last.most and last.least <= now.most:
        return "within the spread"
    if any(0 < each.repetitions < FEWEST for each in (now, last)):
        return f"too few repetitions to tell, {FEWEST} are needed"
    return f"{'more' if now.median > last.median else 'less'}: {now.median / last.median - 1:+.0%}"


def compare(figures: Iterable[Figure], kept: Sequence[Kept]) -> list[tuple[str, ...]]:
    """Of each figure: its row, itself, the last one that is kept of the same row, the commit of that, and what it says."""
    last = {(each.row, each.unit): each for each in kept}
    lines: list[tuple[str, ...]] = []
    for now in figures:
        former = last.get((now.row, now.unit))
        told = (_tell(former), former.commit, judge(now, former)) if former else ("", "", "first of its kind")
        lines.append((now.row, now.unit, _tell(now), *told))
    return lines


COMPARISON = ("row", "unit", "now", "last", "commit", "change")


def _tell(figure: Figure) -> str:
    if figure.repetitions == COUNTED:
        return f"{figure.median:,.0f}"
    return f"{figure.median:.3g} ({figure.least:.3g}–{figure.most:.3g} of {figure.repetitions})"
