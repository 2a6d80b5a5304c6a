"""The figures: CPU a job by component, of every row in the closed loops; memory by component over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.measurement import Measurement
from tests.bench.ratios import Spread

COLOURS = {"nginx": "#8c8c8c", "web": "#4c72b0", "worker": "#dd8452", "redis": "#c44e52"}
CASES = ("plain-64x1", "plain-256x1", "plain-16x32", "v1-64x1", "v1-256x1", "v1-16x32")


def draw(measurements: Sequence[Measurement], path: Path) -> None:
    """Write the SVG; the same measurements make the same file."""
    pyplot = _pyplot()
    bars = [pair for case in CASES for pair in dict.fromkeys((m.case, m.row) for m in measurements if m.case == case)]
    labels = [f"{case}  {row}" for case, row in bars]
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.3 * len(bars)))
    left = [0.0] * len(bars)
    for component, colour in COLOURS.items():
        widths = [_median(measurements, case, row, component) for case, row in bars]
        axes.barh(labels, widths, left=left, color=colour, label=component)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("CPU µs per job, all servers together")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def draw_memory(series: Mapping[str, Sequence[tuple[float, int]]], path: Path) -> None:
    """Likewise, of each component pairs of seconds and bytes."""
    figure, axes = _pyplot().subplots(figsize=(9, 4))
    for component, points in series.items():
        axes.plot([at / 60 for at, _ in points], [used / 2**20 for _, used in points], color=COLOURS[component], label=component)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes")
    axes.set_ylabel("MiB, all processes of a part together")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _pyplot() -> Any:
    import matplotlib as mpl  # takes a second, for which only a run that draws waits

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "primes"
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    _pyplot().close(figure)


def _median(measurements: Sequence[Measurement], case: str, row: str, component: str) -> float:
    found = Spread.of(m.cpu.get(component, 0.0) for m in measurements if (m.case, m.row) == (case, row))
    return found.median if found else 0.0
