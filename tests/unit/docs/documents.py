"""The documents of this repository, and what tests ask of them."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
STAND_INS = ROOT / ".ci/images/README.md"
DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted(ROOT.glob("docs/**/*.md")),
    STAND_INS,
]

Row = tuple[str, ...]


@cache
def read(path: str) -> str:
    """A file of the repository."""
    return (ROOT / path).read_text()


def rows(path: str, first: str = "") -> list[Row]:
    """The cells of every table row whose first cell is `first`, in back-quotes; of every row but heads if it is empty."""
    lines = [line for line in read(path).splitlines() if line.startswith(f"| `{first}` |" if first else "|")]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return (
        cells if first else [row for row, under in zip(cells, [*cells[1:], ("",)], strict=True) if "---" not in row[0] + under[0]]
    )


def quoted(cell: str) -> list[str]:
    """What a cell has in back-quotes."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(path: Path) -> set[str]:
    """What a link to a heading may name, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
