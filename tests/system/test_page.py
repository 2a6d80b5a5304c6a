"""The page at / in a real browser, through nginx."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.system.stack import Stack

PHONE, DESKTOP = {"width": 375, "height": 667}, {"width": 1280, "height": 800}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """The page, open and connected; what the browser complains of fails the test."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=DESKTOP)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(stack.http + "/")
        expect(page.locator("#connection")).to_contain_text("onnected")
        yield page
        browser.close()
    assert not complaints


def ask(page: Page, number: str) -> None:
    page.get_by_label("Is this integer a prime number?").fill(number)
    page.get_by_role("button", name="Ask").click()


def test_the_page_greets_and_tells_primes_from_other_numbers(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, world")
    for number, answer in [("97", "is a prime number"), ("91", "is not a prime number"), ("seven", "Invalid input")]:
        ask(page, number)
        expect(page.locator("#answers li").first).to_contain_text(answer)
    save(page, "desktop")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]  # nothing to scroll sideways
    save(page, "phone")


def test_a_long_number_fits_the_page(page: Page) -> None:
    ask(page, "9" * 3000)
    expect(page.locator("#answers li").first).to_contain_text("is not a prime number")
    assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"]


def save(page: Page, name: str) -> None:
    """Keep a screenshot where SCREENSHOTS says, for a person to look at."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"page-{name}.png")
