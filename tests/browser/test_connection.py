"""The page while the stack behind it breaks."""

import json
from collections import Counter

import gmpy2
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.asking import ask, verdicts, wait_answered
from tests.integration.waiting import wait_until
from tests.system.stack import WEBS, Stack

QUICK, SLOW = 60, 24
LINES = 4_000


def test_no_row_is_lost_or_doubled_when_its_web_container_is_killed(page: Page, stack: Stack) -> None:
    answers: Counter[str] = Counter()  # as they come over all sockets, by the request's id

    def hear(message: str | bytes) -> None:
        for told in [parsed] if isinstance(parsed := json.loads(message), dict) else parsed:
            if "verdict" in told.get("result", {}):
                answers[told["id"]] += 1

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", hear)

    page.on("websocket", listen)
    page.reload()  # for a socket that is listened to
    expect(page.locator("#connection")).to_contain_text("Connected to web")
    instance = page.locator("#connection-text").inner_text().removeprefix("Connected to ")
    wanted = {str(n): "Prime" if gmpy2.is_prime(n) else "Composite" for n in range(QUICK)} | {"0": "Neither", "1": "Neither"}
    # A prime of 2,000 digits: all of them take some seconds, and to kill a container one.
    wanted |= {f"10^1999+7321+{n}-{n}": "Probably prime" for n in range(SLOW)}
    ask(page, *wanted)
    wait_until(lambda: page.locator('tbody tr[data-verdict="open"]').count() < SLOW, "some slow rows have their answers")
    stack.kill_named(f"{instance}-1")
    assert len(answers) < len(wanted)
    wait_answered(page, len(wanted))
    rows = [(number, verdict.split("\n")[0]) for number, verdict in verdicts(page)]
    assert rows == list(wanted.items())
    assert set(answers.values()) == {1} and len(answers) == len(wanted)
    expect(page.locator("#connection")).to_contain_text("Connected to web")
    instances = set(page.locator("tbody tr td:nth-child(5)").all_inner_texts())
    assert instance in instances and len(instances) > 1


def test_a_files_answers_go_on_when_all_web_containers_are_killed(page: Page, stack: Stack) -> None:
    numbers = [gmpy2.mpz(10) ** 400 + n for n in range(LINES)]
    primes = sum(n.is_prime() for n in numbers)
    text = "\n".join(n.digits() for n in numbers)
    page.set_input_files("#file", {"name": "many.txt", "mimeType": "text/plain", "buffer": text.encode()})
    card = page.locator(".card")
    expect(card).to_contain_text("Plain list, at least")
    card.get_by_role("button", name="Send: many.txt").click()
    expect(card).to_contain_text("answers:", timeout=60_000)
    stack.kill_named(*(f"{web}-1" for web in WEBS))
    assert "Done" not in card.inner_text()
    expect(card).to_contain_text(f"Done: {LINES:,} answers:", timeout=120_000)
    expect(card).to_contain_text(f"{LINES - primes:,} composite")
    expect(card).to_contain_text(f"{primes} probably prime")
    expect(card).to_contain_text(f"{LINES - primes:,} verdicts checked here")


def test_the_page_says_that_it_waits_and_comes_back(page: Page, stack: Stack) -> None:
    stack.compose("stop", "nginx")
    expect(page.locator("#connection")).to_contain_text("No connection. Next try in", timeout=60_000)
    ask(page, "97")
    stack.compose("start", "nginx")
    expect(page.locator("#connection")).to_contain_text("Connected to web", timeout=60_000)
    wait_answered(page, 1)
    assert verdicts(page)[0][1] == "Prime"
