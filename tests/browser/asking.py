"""What a visitor does with the page, and what stands there then."""

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
BUILD = Path(__file__).parents[2] / "build"
PATIENCE = 60_000  # ms until all that was asked is answered


def ask(page: Page, *numbers: str) -> None:
    """Ask these, one a line, as a person types."""
    page.get_by_label("Which numbers are prime?").fill("\n".join(numbers))
    page.get_by_label("Which numbers are prime?").press("Enter")


def row(page: Page, number: str) -> Locator:
    """The row of a number that is short enough to stand there whole."""
    return page.locator("tbody tr").filter(has=page.get_by_text(number, exact=True))


def wait_answered(page: Page, count: int) -> None:
    """Until so many rows have their answers, and no other is there."""
    expect(page.locator("tbody tr")).to_have_count(count, timeout=PATIENCE)
    expect(page.locator('tbody tr[data-verdict="open"]')).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("tbody tr").get_by_role("button", name="Cancel")).to_have_count(0, timeout=PATIENCE)


def verdicts(page: Page) -> Sequence[tuple[str, str]]:
    """Number and verdict of every row, from the top."""
    cells = "rows => rows.map(row => [row.cells[0].querySelector('.digits').innerText, row.cells[1].innerText])"
    return [(number, verdict) for number, verdict in page.locator("tbody tr").evaluate_all(cells)]


def save(page: Page, name: str) -> None:
    """Keep a screenshot for a person to look at."""
    BUILD.mkdir(exist_ok=True)
    page.screenshot(path=BUILD / f"page-{name}.png", full_page=True)
