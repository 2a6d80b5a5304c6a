"""The page without a mouse, at 400 % zoom, in light and in dark: where the focus is, and what is out of its reach."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.asking import ask, row, save, wait_answered
from tests.integration.waiting import wait_until
from tests.system.stack import Stack

ZOOMED = {"width": 320, "height": 256}  # CSS pixels of a screen of 1,280 x 1,024 at 400 %
LONG = "9" * 3_000
SLOW = ("2^21701-1", "2^23209-1")  # of thousands of digits, as what child processes compute

# Where the focus is: its name for a screen reader, how wide its outline is, and the contrast of that with what is behind it.
FOCUS = """() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const ringed = focused.type === "file" ? focused.labels[0] : focused;
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(ringed);
  const light = (color) => {
    const parts = color.match(/[0-9.]+/g).map((part) => part / 255);
    const [r, g, b] = parts.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = ringed.parentElement;
  while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
  const [dark, bright] = [light(outlineColor), light(getComputedStyle(behind).backgroundColor)].toSorted((a, b) => a - b);
  const { top, bottom } = focused.getBoundingClientRect();
  return {
    name: focused.ariaLabel ?? focused.labels?.[0]?.textContent ?? focused.textContent.trim(),
    outline: outlineStyle === "none" ? 0 : parseFloat(outlineWidth),
    contrast: (bright + 0.05) / (dark + 0.05),
    seen: bottom > 0 && top < innerHeight,
  };
}"""


def focus(page: Page) -> dict[str, Any]:
    """Where it is; fails where it is nowhere, so that the next Tab would begin at the top."""
    found = page.evaluate(FOCUS)
    assert found is not None, "nothing has the focus"
    return dict(found)


def walk(page: Page, stops: int = 100) -> list[dict[str, Any]]:
    """What has the focus, from the field of numbers on, with each press of Tab until the end of the page."""
    page.locator("#numbers").focus()
    found: list[dict[str, Any]] = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUS) is None or focus(page)["name"] == "Which numbers are prime?":
            return found
        found.append(focus(page))
    raise AssertionError(f"expected at most {stops} places for the focus")


def reach(page: Page, name: str) -> None:
    """Press Tab until the focus is on what has this name."""
    page.locator("#numbers").focus()
    for _ in range(100):
        page.keyboard.press("Tab")
        if focus(page)["name"] == name:
            return
    raise AssertionError(f"no Tab leads to {name!r}")


def fill(page: Page) -> None:
    """Everything that the page can show, and all of it open."""
    ask(page, "97", "91", "2^127-1", "seven", LONG, "7" * 47)
    wait_answered(page, 6)
    page.get_by_role("button", name="Factors: 91").click()
    expect(row(page, "91")).to_contain_text("These are all: each is prime.")
    name = f"{'a-long-name' * 12}.txt"
    page.set_input_files("#file", {"name": name, "mimeType": "text/plain", "buffer": b"7\n" * 1_001})
    expect(page.locator(".card")).to_contain_text("Done")
    for summary in page.locator("summary").all():
        summary.click()
    page.get_by_role("button", name="All digits").click()
    # All checks have ended: one that ends takes the focus to its row.
    expect(page.locator("tbody .outcome:is(.shown, .agreed)")).to_have_count(6)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_at_400_percent_nothing_scrolls_sideways_every_focus_is_seen_and_axe_finds_nothing_serious(page: Page, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
    fill(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= ZOOMED["width"]
    save(page, f"zoomed-{scheme}")
    violations = axe.run(page).response["violations"]
    serious = [problem for problem in violations if problem["impact"] in ("serious", "critical")]
    assert not serious, json.dumps(serious)[:2_000]
    stops = walk(page)
    unclear = [stop for stop in stops if stop["outline"] < 2 or stop["contrast"] < 3 or not stop["seen"] or not stop["name"]]
    assert not unclear
    assert len({stop["name"] for stop in stops}) == len(stops)  # each is told from all others


def test_what_scrolls_on_its_own_can_be_scrolled_with_keys(page: Page) -> None:
    page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
    fill(page)
    digits = "Digits of 9999999999999999…9999999999999999 (3,000 digits)"
    for name, scrolled, key in [(digits, "Top", "End"), ("Command", "Left", "ArrowRight")]:
        reach(page, name)
        page.keyboard.press(key)
        wait_until(lambda: page.evaluate(f"document.activeElement.scroll{scrolled}") > 0, f"{name} is scrolled")  # noqa: B023


def test_the_focus_is_kept_when_what_had_it_goes(page: Page, stack: Stack) -> None:
    ask(page, "97", "91")
    wait_answered(page, 2)
    reach(page, "Remove: 91")
    page.keyboard.press("Enter")
    assert focus(page)["name"] == "Which numbers are prime?"
    reach(page, "Clear")
    page.keyboard.press("Enter")
    assert focus(page)["name"] == "Which numbers are prime?"
    with stack.at_heavy_work():
        ask(page, *SLOW)
        reach(page, "Cancel all")
        page.keyboard.press("Enter")
        wait_answered(page, 2)
    assert focus(page)["name"] == "Which numbers are prime?"


def test_the_focus_goes_on_from_a_cancelled_file_to_its_removal_and_then_to_the_field(page: Page) -> None:
    text = "\n".join(str(10**400 + n) for n in range(20_000)).encode()
    page.set_input_files("#file", {"name": "many.txt", "mimeType": "text/plain", "buffer": text})
    expect(page.get_by_role("button", name="Cancel: many.txt")).to_be_visible()  # the page has looked into the file
    reach(page, "Cancel: many.txt")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_contain_text("Cancelled.")
    assert focus(page)["name"] == "Remove: many.txt"
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(0)
    assert focus(page)["name"] == "Which numbers are prime?"


def test_more_rows_are_gone_on_with_from_the_first_of_them(page: Page) -> None:
    ask(page, *map(str, range(2, 252)))
    expect(page.locator("#summary")).to_have_text("54 prime, 196 composite", timeout=60_000)
    page.locator("#more").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#more")).to_be_hidden()
    assert focus(page)["name"].startswith("202")
    expect(page.locator("tbody tr").nth(200)).to_contain_text("Checked here")  # which would take the focus back to the row
    page.keyboard.press("Tab")
    assert focus(page)["name"] == "Factors: 202"
