"""The pictures of the README: `make pictures` writes them, every other run only sees that it could."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.asking import DESKTOP, PATIENCE, ask, wait_answered
from tests.system.stack import OPERATORS_PORT, Stack

LARGEST = 300_000  # bytes of a picture: the README is read over slow lines too; those in it are of calmer stacks, and smaller
NUMBERS = ("97", "561", "2^67-1", "2^127-1", "10^100+267", "10^400+1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pictures go."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(exist_ok=True)
    return folder


def test_the_clients_page(stack: Stack, browser: Browser, folder: Path) -> None:
    page = browser.new_page(viewport=DESKTOP, color_scheme="light")
    page.goto(stack.http)
    expect(page.locator("#connection")).to_contain_text("Connected to web")
    ask(page, *NUMBERS)
    wait_answered(page, len(NUMBERS))
    page.screenshot(path=folder / "page.png")
    page.close()
    assert (folder / "page.png").stat().st_size < LARGEST


def test_the_operators_page(stack: Stack, browser: Browser, folder: Path) -> None:
    for number in (*range(90, 140), *(10**400 + odd for odd in range(1, 21, 2))):
        assert stack.get(f"/primes/{number}")[0] == 200
    page = browser.new_page(viewport={**DESKTOP, "height": 1_000}, color_scheme="light")
    page.goto(f"http://127.0.0.1:{OPERATORS_PORT}/")
    expect(page.locator("figure", has_text="quick lane").locator(".legend")).to_contain_text("p99", timeout=PATIENCE)
    expect(page.locator("#letters-count")).not_to_be_empty()
    page.screenshot(path=folder / "operators.png")
    page.close()
    assert (folder / "operators.png").stat().st_size < LARGEST
