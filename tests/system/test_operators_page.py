"""The operators' page in a real browser: what Prometheus says of the real stack, by mouse, keyboard and phone."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.integration.clients import ask_all
from tests.integration.clients import expect as known
from tests.system.stack import OPERATORS_PORT, Stack

PHONE, DESKTOP = {"width": 375, "height": 812}, {"width": 1280, "height": 900}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
CHARTS = 9
NUMBER = re.compile(r"\d")
SECONDS = 60_000  # ms until Prometheus has scraped twice and the page has asked, whatever the test before did to the stack


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """The page, open and told of a load; what the browser complains of fails the test."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    assert ask_all([(stack.socket, [known(7, True), known(10**400, False)] * 20)] * 20).clean
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=DESKTOP)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(f"http://127.0.0.1:{OPERATORS_PORT}/")
        expect(tile(page, "Canary right")).to_have_text(NUMBER, timeout=SECONDS)
        yield page
        browser.close()
    assert not [words for words in complaints if "502 (Bad Gateway)" not in words]  # a test stops Prometheus


def tile(page: Page, title: str) -> Locator:
    return page.locator("#tiles div").filter(has=page.get_by_text(title, exact=True)).locator("dd")


def shoot(page: Page, name: str, folder: Path) -> None:
    """Keep a picture; SCREENSHOTS names a folder for whoever wants to look."""
    page.screenshot(path=Path(os.environ.get("SCREENSHOTS", folder)) / f"{name}.png", full_page=True)


def test_tiles_and_charts_tell_of_the_stack(page: Page, tmp_path: Path) -> None:
    expect(tile(page, "Web processes")).to_have_text("4", timeout=SECONDS)
    expect(tile(page, "Workers")).to_have_text("2", timeout=SECONDS)
    expect(tile(page, "99 % of quick answers in")).to_have_text(NUMBER)
    expect(page.locator("figure")).to_have_count(CHARTS)
    for name in ("p50", "p95", "p99"):
        expect(page.locator("figure", has_text="quick lane").locator(".legend")).to_contain_text(name)
    for web in ("web0", "web1", "web2", "web3"):
        expect(page.locator("figure", has_text="Connections of each").locator(".legend")).to_contain_text(web)
    expect(page.locator("figure", has_text="Answers a second").locator("path.line").first).to_have_attribute(
        "d", re.compile("^M.*L")
    )
    shoot(page, "operators-desktop", tmp_path)


def test_the_keyboard_reads_a_chart_and_changes_the_range(page: Page) -> None:
    chart = page.locator("figure", has_text="Answers a second")
    page.get_by_role("radio", name="1 h").focus()
    page.keyboard.press("Space")
    expect(page.locator("#state")).not_to_have_class("stale")
    page.keyboard.press("Tab")
    expect(chart.locator("svg[tabindex]")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(chart.locator(".when")).to_contain_text("at ")
    page.keyboard.press("Escape")
    expect(chart.locator(".when")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_sideways(page: Page, scheme: str, tmp_path: Path) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shoot(page, f"operators-phone-{scheme}", tmp_path)


def test_it_says_that_figures_are_old_and_goes_on_when_there_are_new_ones(stack: Stack, page: Page) -> None:
    stack.compose("stop", "prometheus")
    try:
        expect(page.locator("#state")).to_contain_text("No new figures since", timeout=SECONDS)
    finally:
        stack.compose("start", "prometheus")
    expect(page.locator("#state")).to_contain_text("told by web", timeout=SECONDS)


def test_nothing_of_it_is_on_port_80(stack: Stack) -> None:
    for path in ("/figures", "/operators/", "/operators/operators.js", "/metrics"):
        assert stack.get(path)[0] == 404
