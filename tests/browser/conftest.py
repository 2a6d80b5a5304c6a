"""Debian's Chromium on the page of the compose stack."""

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.asking import DESKTOP
from tests.system.stack import Stack

# A socket or request that breaks is what some tests are about, and the browser says so. It breaks all itself when a container comes
# or goes anywhere on the machine, since that brings or takes a network interface.
BREAK = re.compile(r"WebSocket|net::ERR_(CONNECTION|EMPTY|INCOMPLETE|NETWORK_CHANGED)|status of 50[234]")
expect.set_options(timeout=30_000)  # ms: a page whose machine runs two stacks takes a while to come up
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")  # as long as it runs, its thread has an event loop, and nobody else can run one
def browser() -> Iterator[Browser]:
    """One browser for a file's tests; each has a context, hence a history, of its own."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    """The page, open and connected; what it throws or the browser complains of fails the test."""
    context = browser.new_context(viewport=DESKTOP, accept_downloads=True, base_url=stack.http)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" and not BREAK.search(said.text) else None)
    page.goto("/")
    expect(page.locator("#connection")).to_contain_text("Connected to web")
    yield page
    context.close()
    assert not complaints
