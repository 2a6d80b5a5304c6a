"""The page while the stack behind it breaks."""

import json
import re
from collections import Counter

import gmpy2
from playwright.sync_api import Page, Route, WebSocket, expect

from tests.browser.asking import ask, verdicts, wait_answered
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
    quick = {str(n): "Prime" if gmpy2.is_prime(n) else "Composite" for n in range(QUICK)} | {"0": "Neither", "1": "Neither"}
    slow = {f"10^1999+7321+{n}-{n}": "Probably prime" for n in range(SLOW)}  # a prime of 2,000 digits
    ask(page, *quick)
    wait_answered(page, QUICK)
    try:
        with stack.at_heavy_work():
            ask(page, *slow)
            expect(page.locator("tbody")).to_contain_text(re.compile("Computing for|before it"))  # the server has them
            # By Docker, which then leaves it dead: it would get the page back if it came back first.
            stack.compose("kill", instance)
        wait_answered(page, QUICK + SLOW)
        rows = [(number, verdict.split("\n")[0]) for number, verdict in verdicts(page)]
        assert rows == [*slow.items(), *quick.items()]
        assert set(answers.values()) == {1} and len(answers) == QUICK + SLOW
        expect(page.locator("#connection")).to_contain_text("Connected to web")
        instances = page.locator("tbody tr td:nth-child(5)").all_inner_texts()
        assert instance not in instances[:SLOW] and set(instances[SLOW:]) == {instance}
    finally:
        stack.compose("up", "--detach", "--wait", "--no-recreate")


def test_a_files_answers_go_on_when_all_web_containers_are_killed(page: Page, stack: Stack) -> None:
    killed: set[int] = set()

    def cut_off(route: Route) -> None:
        """Half of the answers come, and then an end: by itself the browser has read all before a container can be killed."""
        answered = route.fetch(timeout=60_000)
        killed.update(stack.kill_named(*(f"{web}-1" for web in WEBS)))
        route.fulfill(response=answered, body=answered.body()[: len(answered.body()) // 2])

    page.route("**/jobs/*?offset=0", cut_off, times=1)
    numbers = [gmpy2.mpz(10) ** 400 + n for n in range(LINES)]
    primes = sum(n.is_prime() for n in numbers)
    text = "\n".join(n.digits() for n in numbers)
    page.set_input_files("#file", {"name": "many.txt", "mimeType": "text/plain", "buffer": text.encode()})
    card = page.locator(".card")
    expect(card).to_contain_text("Plain list, at least")
    card.get_by_role("button", name="Send: many.txt").click()
    expect(card).to_contain_text(f"Done: {LINES:,} answers:", timeout=180_000)
    assert killed
    expect(card).to_contain_text(f"{LINES - primes:,} composite")
    expect(card).to_contain_text(f"{primes} probably prime")
    expect(card).to_contain_text(f"{LINES - primes:,} verdicts checked here")


def test_the_page_says_that_it_waits_and_comes_back(page: Page, stack: Stack) -> None:
    stack.compose("stop", "nginx")
    try:
        expect(page.locator("#connection")).to_contain_text("No connection. Next try in", timeout=60_000)
        ask(page, "97")
    finally:
        stack.compose("start", "nginx")
    expect(page.locator("#connection")).to_contain_text("Connected to web", timeout=60_000)
    wait_answered(page, 1)
    assert verdicts(page)[0][1] == "Prime"
