"""The operators' page in a real browser: what Prometheus and Redis say of the real stack, by mouse, keyboard and phone."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright

from tests.integration.plain_clients import ask_all
from tests.integration.plain_clients import expect as known
from tests.system.stack import OPERATORS_PORT, Stack
from tests.system.test_dead_letters import DEAD

expect.set_options(timeout=30_000)  # ms: whatever answers may stand still for a while on a machine that runs a stack and a browser
PHONE, DESKTOP = ViewportSize(width=375, height=812), ViewportSize(width=1280, height=900)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
CHARTS = 9
EXPECTED = re.compile(r"502 \(Bad Gateway\)|401 \(Unauthorized\)")  # a test stops Prometheus, another types a wrong token
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
    assert not [words for words in complaints if not EXPECTED.search(words)]


def tile(page: Page, title: str) -> Locator:
    return page.locator("#tiles div").filter(has=page.get_by_text(title, exact=True)).locator("dd")


def shoot(page: Page, name: str, folder: Path) -> None:
    """Keep a picture; SCREENSHOTS names a folder for whoever wants to look."""
    page.screenshot(path=Path(os.environ.get("SCREENSHOTS", folder)) / f"{name}.png", full_page=True)


LONG = str(10**399 + 1)
UNREADABLE = "unreadable"
SET_ASIDE = """
import asyncio, sys
from services.jobs import names
from services.broker.connection import connect
from services.broker.finish import DeadLetter
from services.jobs.messages import Job
from services.jobs.names import Lane
from services.runtime.settings import Settings, load

async def main():
    async with connect(load(Settings, "test", [])) as redis:
        for number in sys.argv[1:]:
            job = b"\\xc1" if number == "unreadable" else Job(1, number)
            parts = DeadLetter(job, "child process ended by SIGKILL, 3 times", "worker").fields(Lane.HEAVY)
            print((await redis.xadd(names.DEAD, dict(zip(("lane", "jobs", "reason", "worker"), parts)))).decode())

asyncio.run(main())
"""


@pytest.fixture
def letters(stack: Stack, page: Page) -> Iterator[list[str]]:
    """The ids of three dead letters that the page lists."""
    stack.compose(*DEAD, "delete", "--all", "--yes")
    ids = stack.compose("exec", "-T", "worker", "python", "-c", SET_ASIDE, "97", UNREADABLE, LONG).split()
    expect(page.locator("#letters li")).to_have_count(3, timeout=SECONDS)
    yield ids
    stack.compose(*DEAD, "delete", "--all", "--yes")


@pytest.fixture
def token(stack: Stack) -> str:
    """As the operations tell to read it."""
    return stack.compose("exec", "-T", "web0", "cat", "/run/operators/token").strip()


def letter(page: Page, id: str) -> Locator:
    return page.locator("#letters li").filter(has_text=id)


def test_dead_letters_are_retried_and_deleted_by_who_knows_the_token(page: Page, letters: list[str], token: str) -> None:
    small, unreadable, long = letters
    expect(letter(page, long)).to_contain_text("is_prime(1000000000…0000000001 (400 digits))")
    expect(letter(page, long)).to_contain_text("child process ended by SIGKILL, 3 times")
    expect(letter(page, unreadable)).to_contain_text("cannot be retried: expected a batch of jobs, got 1 bytes c1")
    expect(letter(page, unreadable).get_by_role("button")).to_have_count(1)

    letter(page, small).get_by_role("button", name="Retry").click()
    expect(page.locator("#letters-said")).to_have_text("Type the token first.")
    expect(page.get_by_label("Token, for changes")).to_be_focused()
    page.get_by_label("Token, for changes").fill("wrong")
    page.get_by_role("button", name="Keep in this tab").click()
    letter(page, small).get_by_role("button", name="Retry").click()
    expect(page.locator("#letters-said")).to_have_text("This is not the token. Type it again.")
    page.get_by_label("Token, for changes").fill(token)
    page.get_by_role("button", name="Keep in this tab").click()
    letter(page, small).get_by_role("button", name="Retry").click()
    expect(page.locator("#letters-said")).to_have_text(f"{small} is back in the lane heavy.")
    expect(letter(page, small)).to_have_count(0)

    page.reload()  # the token is kept
    letter(page, unreadable).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#letters li")).to_have_count(2)
    letter(page, unreadable).get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text(unreadable)
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#letters-said")).to_have_text(f"{unreadable} is deleted.")
    expect(page.locator("#letters li")).to_have_count(1)
    page.get_by_role("button", name="Forget it").click()
    assert page.evaluate("sessionStorage.length") == 0


def test_the_keyboard_retries_and_deletes(page: Page, letters: list[str], token: str) -> None:
    small, unreadable, long = letters
    page.get_by_label("Token, for changes").focus()
    page.keyboard.type(token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Forget it")).to_be_focused()
    letter(page, small).get_by_role("button", name="Retry").focus()
    page.keyboard.press("Enter")
    expect(letter(page, small)).to_have_count(0)
    remove = letter(page, unreadable).get_by_role("button", name="Delete")
    expect(remove).to_be_focused()  # what stands now where the focus was
    page.keyboard.press("Enter")
    keep = page.get_by_role("dialog").get_by_role("button", name="Keep")
    expect(keep).to_be_focused()
    page.keyboard.press("Escape")
    expect(remove).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(letter(page, unreadable)).to_have_count(0)
    expect(letter(page, long).get_by_role("button", name="Retry")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#letters-count")).to_have_text("No dead letters.")
    expect(page.get_by_role("heading", name="Dead letters")).to_be_focused()


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_no_serious_problem(page: Page, size: ViewportSize, scheme: str, tmp_path: Path) -> None:
    axe = Axe()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    found = [axe.run(page).response["violations"]]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    shoot(page, f"operators-letters-{size['width']}-{scheme}", tmp_path)
    page.locator("#letters").get_by_role("button", name="Delete").first.click()
    found.append(axe.run(page).response["violations"])
    shoot(page, f"operators-dialog-{size['width']}-{scheme}", tmp_path)
    serious = [violation for violations in found for violation in violations if violation["impact"] in ("serious", "critical")]
    assert not [(violation["id"], [node["target"] for node in violation["nodes"]]) for violation in serious]


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
    for path in ("/figures", "/dead-letters", "/operators/", "/operators/operators.js", "/metrics"):
        assert stack.get(path)[0] == 404
