"""The suite's table."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.history import Figures

COLUMNS = (
    "stack",
    "fault",
    "requests",
    "answered",
    "lost",
    "duplicated",
    "wrong",
    "out of order",
    "longest gap (s)",
    "longest wait (s)",
)


@dataclass(frozen=True)
class Row:
    """One case."""

    stack: str
    fault: str
    figures: Figures

    @property
    def cells(self) -> tuple[str, ...]:
        f = self.figures
        counts = (f.requests, f.answered, f.lost, f.duplicated, f.wrong, f.disordered)
        return (self.stack, self.fault, *(f"{count:,}" for count in counts), f"{f.gap:.1f}", f"{f.wait:.1f}")


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of a Markdown table of the rows' cells, aligned for a terminal."""
    lines = [COLUMNS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    lines.insert(1, tuple("-" * (width - (i > 1)) + ":" * (i > 1) for i, width in enumerate(widths)))
    return [
        "| "
        + " | ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    ]
