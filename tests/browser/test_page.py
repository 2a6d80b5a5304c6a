"""The page at / in a real browser, through nginx: what a visitor can do with it."""

import csv
import io
import json
import re

import gmpy2
import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.asking import DESKTOP, PHONE, ask, row, save, verdicts, wait_answered
from tests.integration.plain_clients import SEMIPRIME
from tests.system.stack import Stack

SLOWISH = "2^11213-1"  # a prime of 3,376 digits: seconds
SLOW = "2^19937-1"  # a prime of 6,002 digits, as any that a child process computes


def test_the_page_greets_and_tells_primes_from_other_numbers(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, world")
    ask(page, "97", "91", "1", "2^61-1", "seven")
    wait_answered(page, 5)
    assert [verdict for _, verdict in verdicts(page)][:3] == ["Prime", "Composite", "Neither\nNumbers below 2 are neither"]
    expect(row(page, "2^61-1")).to_contain_text("Prime")
    expect(row(page, "seven")).to_contain_text("Expected an integer such as 97 or an expression such as 2^127-1")
    expect(page.locator("#summary")).to_have_text("2 prime, 1 composite, 1 neither, 1 no answer")


def test_the_browser_checks_every_verdict_itself(page: Page) -> None:
    ask(page, "97", "91", "31#-1", "-7", "10^400+69")
    page.get_by_label("Prove large primes").check()  # a certificate that nobody asks for there is only while there is time for it
    ask(page, "2^127-1")
    wait_answered(page, 6)
    expect(row(page, "97")).to_contain_text("✓ Checked here It passes 13 strong tests")
    expect(row(page, "91")).to_contain_text("✓ Checked here 7 divides it.")
    expect(row(page, "31#-1")).to_contain_text("✓ Checked here It fails the strong test to the base 2")
    expect(row(page, "-7")).to_contain_text("✓ Checked here It is below 2.")
    expect(row(page, "2^127-1")).to_contain_text("✓ Checked here")
    expect(row(page, "10^400+69")).to_contain_text("≈ Not proven")


def forge(page: Page, factor: str, other: str) -> None:
    """Somebody between the page and the server gives another factor from now on."""

    def tell(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        server.on_message(lambda message: route.send(str(message).replace(f'"factor":"{factor}"', f'"factor":"{other}"')))
        route.on_message(server.send)

    page.route_web_socket(re.compile("/chatsocket"), tell)
    page.reload()


def test_evidence_that_does_not_hold_is_told_loudly(page: Page) -> None:
    forge(page, "7", "11")
    ask(page, "91", "22")
    wait_answered(page, 2)
    expect(page.get_by_role("alert")).to_contain_text("The evidence for 91 does not hold")
    expect(row(page, "91")).to_contain_text("✗ The check failed 11 does not divide it, or is 1 or the number itself.")
    expect(row(page, "22")).to_contain_text("✓ Checked here 2 divides it.")
    save(page, "forged")


def test_factors_that_do_not_hold_are_told_loudly(page: Page) -> None:
    forge(page, "13", "11")
    ask(page, "91")
    wait_answered(page, 1)
    page.get_by_role("button", name="Factors: 91").click()
    expect(page.get_by_role("alert")).to_contain_text("The evidence for 91 does not hold")
    expect(row(page, "91")).to_contain_text("✓ Checked here 7 divides it.")
    expect(row(page, "91")).to_contain_text("✗ The check failed The product of its factors is another number.")


def test_factors_are_copied_and_outlive_a_reload(page: Page) -> None:
    ask(page, "2^67-1")
    wait_answered(page, 1)
    page.get_by_role("button", name="Factors: 2^67-1").click()
    expect(page.get_by_role("group", name="Factors of 2^67-1").get_by_role("listitem")).to_have_text(
        ["193707721 prime", "761838257287 prime"], timeout=60_000
    )
    page.get_by_role("button", name="Copy factors: 2^67-1").click()
    expect(page.locator("#announcer")).to_contain_text("The product of the factors was copied")
    assert page.evaluate("navigator.clipboard.readText()") == "193707721 * 761838257287"
    expect(row(page, "2^67-1")).to_contain_text("The product of its factors is right")
    save(page, "factors")
    page.reload()
    expect(row(page, "2^67-1")).to_contain_text("✓ Checked here It fails the strong test")
    expect(row(page, "2^67-1")).to_contain_text("✓ Checked here The product of its factors is right")


def test_factors_that_are_looked_for_at_a_reload_are_looked_for_after_it(page: Page, stack: Stack) -> None:
    ask(page, f"13*{SEMIPRIME}")
    wait_answered(page, 1)
    with stack.at_heavy_work():
        page.get_by_role("button", name="Factors: ").click()
        expect(page.locator("tbody")).to_contain_text("Looking for factors")
        page.reload()
        expect(page.locator("tbody")).to_contain_text("Looking for factors")
        page.get_by_role("button", name="Cancel: ").click()
        expect(page.get_by_role("button", name="Factors: ")).to_be_visible()
    expect(page.locator("tbody")).to_contain_text("13 divides it.")


def test_a_long_number_is_shortened_and_shown_whole_on_demand(page: Page) -> None:
    ask(page, "9" * 3000)
    wait_answered(page, 1)
    expect(page.locator("tbody")).to_contain_text("9999999999999999…9999999999999999 (3,000 digits)")
    page.get_by_role("button", name="All digits").click()
    expect(page.locator(".digits.full")).to_have_text("9" * 3000)
    for size in (DESKTOP, PHONE, {"width": 360, "height": 740}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]  # nothing to scroll sideways


def test_a_long_job_tells_its_progress_and_can_be_cancelled(page: Page, stack: Stack) -> None:
    with stack.at_heavy_work():
        ask(page, f"({SLOW})", SLOW, "97")
        expect(row(page, "97")).to_contain_text("Prime")
        expect(page.locator("tbody")).to_contain_text("Computing for")
        page.get_by_role("button", name="Cancel all").click()
        wait_answered(page, 3)
    assert [verdict for _, verdict in verdicts(page)] == ["Cancelled", "Cancelled", "Prime"]


def test_the_history_outlives_a_reload_and_can_be_cleared(page: Page) -> None:
    ask(page, "97", "91")
    wait_answered(page, 2)
    expect(row(page, "91")).to_contain_text("Checked here")
    page.reload()
    wait_answered(page, 2)
    expect(row(page, "91")).to_contain_text("✓ Checked here 7 divides it.")
    page.get_by_role("button", name="Remove: 91").click()
    page.reload()
    wait_answered(page, 1)
    page.get_by_role("button", name="Clear").click()
    page.reload()
    expect(page.locator("#connection")).to_contain_text("Connected")
    expect(page.locator("#empty")).to_be_visible()


def act_and_reload(page: Page, button: str) -> None:
    """Click it, and reload in the same turn of the page's event loop: no write to the database has ended by then."""
    with page.expect_navigation():
        page.get_by_role("button", name=button).evaluate("button => { button.click(); location.reload(); }")
    expect(page.locator("#connection")).to_contain_text("Connected")


def test_what_is_removed_in_the_moment_of_a_reload_stays_removed(page: Page) -> None:
    ask(page, "97", "91", "89")
    wait_answered(page, 3)
    act_and_reload(page, "Remove: 91")
    wait_answered(page, 2)
    expect(row(page, "91")).to_have_count(0)
    act_and_reload(page, "Clear")
    expect(page.locator("#empty")).to_be_visible()


def test_an_answer_that_comes_in_the_moment_of_a_reload_is_kept(page: Page) -> None:
    # Once: its check changes the row, too, and a second reload would end the first.
    reload_when_answered = """() => new MutationObserver((_, observer) => {
        if (!document.querySelector('tbody tr[data-verdict="composite"]')) return;
        observer.disconnect();
        location.reload();
    }).observe(document.querySelector("tbody"), {attributes: true, subtree: true})"""
    page.evaluate(reload_when_answered)
    with page.expect_navigation():
        ask(page, "91")
    wait_answered(page, 1)
    expect(row(page, "91")).to_contain_text("✓ Checked here 7 divides it.")


def test_what_is_under_way_at_a_reload_goes_on_in_its_session(page: Page, stack: Stack) -> None:
    answers: list[str] = []

    def hear(message: str | bytes) -> None:
        if "result" in (told := json.loads(message)) and "verdict" in told["result"]:
            answers.append(told["id"])

    with stack.at_heavy_work():
        ask(page, SLOWISH)
        expect(page.get_by_role("button", name=f"Cancel: {SLOWISH}")).to_be_visible()
        page.on("websocket", lambda socket: socket.on("framereceived", hear))
        page.reload()
        expect(page.get_by_role("button", name=f"Cancel: {SLOWISH}")).to_be_visible()
    wait_answered(page, 1)
    expect(page.locator("tbody")).to_contain_text("Prime")
    assert len(answers) == 1


def test_a_link_to_a_number_asks_it_once(page: Page) -> None:
    ask(page, "31#-1")
    wait_answered(page, 1)
    page.get_by_role("button", name="Link: 31#-1").click()
    expect(page.locator("#announcer")).to_contain_text("The link was copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.endswith("/#n=31%23-1")
    other = page.context.new_page()
    other.goto(link)
    expect(other.locator("tbody tr")).to_have_count(2)  # the history's, and the one that was asked now
    wait_answered(other, 2)
    assert "#" not in other.url
    other.goto(page.url + "#n=10^2+1")
    expect(row(other, "10^2+1")).to_contain_text("Prime")


def test_a_number_is_copied_and_the_table_is_saved(page: Page) -> None:
    ask(page, "91", "=1+1")
    wait_answered(page, 2)
    page.get_by_role("button", name="Copy: 91").click()
    expect(page.locator("#announcer")).to_contain_text("The number was copied")
    assert page.evaluate("navigator.clipboard.readText()") == "91"
    expect(row(page, "91")).to_contain_text("Checked here")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [(row["number"], row["verdict"], row["factor"], row["checked"]) for row in rows] == [
        ("91", "composite", "7", "shown"),
        ("'=1+1", "not_an_integer", "", ""),
    ]


def test_a_small_file_is_asked_like_a_list(page: Page) -> None:
    page.set_input_files("#file", {"name": "few.txt", "mimeType": "text/plain", "buffer": b"97\r\n\r\n2^4+1\n"})
    wait_answered(page, 2)
    assert [number for number, _ in verdicts(page)] == ["97", "2^4+1"]


def test_a_large_file_is_uploaded_and_all_its_evidence_is_checked(page: Page) -> None:
    lines = [*map(str, range(3_000)), "abc", "", "97"]
    primes = sum(gmpy2.is_prime(n) for n in range(3_000)) + 1
    page.set_input_files("#file", {"name": "many.txt", "mimeType": "text/plain", "buffer": "\n".join(lines).encode()})
    card = page.locator(".card")
    tally = f"2 neither, {primes} prime, {2_999 - primes:,} composite, 1 without an answer"
    expect(card).to_contain_text(f"Done: 3,002 answers: {tally}. 3,001 verdicts checked here.", timeout=60_000)
    expect(card.locator(".last li").first).to_have_text("97: prime")
    with page.expect_download() as download:
        card.get_by_role("link", name="All answers").click()
    assert json.loads(download.value.path().read_text().splitlines()[-1])["answers"] == 3_002


def test_more_rows_than_are_rendered_are_shown_on_demand(page: Page) -> None:
    ask(page, *map(str, range(2, 452)))
    expect(page.locator("#summary")).to_have_text("87 prime, 363 composite", timeout=60_000)
    expect(page.locator("tbody tr")).to_have_count(200)
    page.get_by_role("button", name="Show more (250 older answers)").click()
    expect(page.locator("tbody tr")).to_have_count(400)


def test_a_visitor_needs_no_mouse(page: Page) -> None:
    page.keyboard.type("91")  # the field has the focus
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("97")
    page.keyboard.press("Enter")
    expect(page.locator("#announcer")).to_contain_text("97: Prime")  # before another announcement takes its place
    wait_answered(page, 2)
    expect(page.locator("tbody .outcome.shown")).to_have_count(2)  # which would take the focus from a button to its row
    seen = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.id ?? ''"))
    assert {"proof", "certificate", "file", "Copy: 91", "Link: 97", "Remove: 97"} <= seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_problem(page: Page, stack: Stack, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    expect(page.locator("#empty")).to_be_visible()
    found = [axe.run(page).response["violations"]]
    ask(page, "97", "91", "2^127-1", "seven", "9" * 3000)
    wait_answered(page, 5)
    page.set_input_files("#file", {"name": "many.txt", "mimeType": "text/plain", "buffer": b"7\n" * 1_001})
    expect(page.locator(".card")).to_contain_text("Done")
    page.locator("summary").first.click()
    with stack.at_heavy_work():
        ask(page, SLOW)
        for name, size in [("desktop", DESKTOP), ("phone", PHONE)]:
            page.set_viewport_size(size)  # type: ignore[arg-type]
            save(page, f"{name}-{scheme}")
            found.append(axe.run(page).response["violations"])
        page.get_by_role("button", name=f"Cancel: {SLOW}").click()
        wait_answered(page, 6)
    serious = [problem for problems in found for problem in problems if problem["impact"] in ("serious", "critical")]
    assert not serious, json.dumps(serious)[:2_000]
