"""`GET /primes/N` waits for its answer, says what is wrong with the request, and forgets a client that left."""

import socket
import time
from urllib.parse import quote

import gmpy2
import pytest

from services.web.ask.question import EXPECTED
from tests.integration.conftest import Front, Whole
from tests.integration.plain_clients import HEAVY, SEMIPRIME
from tests.integration.processes import frozen, thaw
from tests.integration.steps import asking
from tests.integration.waiting import wait_until


@pytest.mark.parametrize(
    ("text", "number", "verdict"),
    [
        ("97", "97", "prime"),
        ("91", "91", "composite"),
        ("0", "0", "neither"),
        ("-7", "-7", "neither"),
        ("%2B7", "7", "prime"),
        ("%20007%20", "7", "prime"),
        (HEAVY, HEAVY, "probably_prime"),
        ("9" * 4_400, "9" * 4_400, "composite"),  # above CPython's own limit for int()
    ],
    ids=lambda value: value[:20],
)
def test_a_number_is_answered(whole: Whole, text: str, number: str, verdict: str) -> None:
    response = whole.webs[0].get(f"/primes/{text}")

    assert response.status == 200
    assert response.json["number"] == number
    assert response.json["verdict"] == verdict
    assert response.json["proven"] is (verdict != "probably_prime")
    assert response.json["total_ms"] > 0
    assert ("evidence" in response.json) is (verdict == "composite")


@pytest.mark.parametrize(
    ("path", "number", "verdict"),
    [
        ("97/next", "101", "prime"),
        ("97/previous", "89", "prime"),
        ("-5/next", "2", "prime"),
        ("10%5E100/next", str(10**100 + 267), "probably_prime"),
        ("fib(9)/previous", "31", "prime"),
        ("18361375334787046697/next", "18361375334787048247", "prime"),
        ("2/previous", None, "neither"),
    ],
)
def test_the_primes_next_to_a_number_are_found(whole: Whole, path: str, number: str | None, verdict: str) -> None:
    response = whole.webs[0].get(f"/primes/{path}")

    assert response.status == 200
    assert response.json.get("number") == number
    assert response.json["verdict"] == verdict


@pytest.mark.parametrize(
    ("path", "number", "verdict", "factors"),
    [
        ("-12", "-12", "neither", [("2", 2, "prime"), ("3", 1, "prime")]),
        ("97", "97", "prime", [("97", 1, "prime")]),
        ("1", "1", "neither", []),
        (
            "(10%5E18-1)%2F9",
            "(10^18-1)/9",
            "composite",
            [(str(p), 1 + (p == 3), "prime") for p in (3, 7, 11, 13, 19, 37, 52579, 333667)],
        ),
        ("(10%5E39%2B3)%5E2", "(10^39+3)^2", "composite", [(str(10**39 + 3), 2, "probably_prime")]),
    ],
)
def test_a_number_is_taken_apart(whole: Whole, path: str, number: str, verdict: str, factors: list[tuple[str, int, str]]) -> None:
    response = whole.webs[0].get(f"/primes/{path}/factors")

    assert response.status == 200
    assert (response.json["number"], response.json["verdict"]) == (number, verdict)
    assert [(each["factor"], each["multiplicity"], each["verdict"]) for each in response.json["factors"]] == factors
    assert response.json["complete"] is True


def test_nothing_is_left_out_of_zero(whole: Whole) -> None:
    told = whole.webs[0].get("/primes/0/factors").json
    assert (told["factors"], told["cofactor"], told["complete"]) == ([], {"number": "0", "verdict": "neither"}, False)


def test_factors_that_were_found_in_time_are_told(whole: Whole) -> None:
    response = whole.webs[0].get(f"/primes/31*{SEMIPRIME}/factors?timeout=4")
    assert response.status == 504
    told = response.json["error"]
    assert (told["code"], told["verdict"], told["best"], told["complete"]) == ("timeout", "unknown", "composite", False)
    assert [each["factor"] for each in told["factors"]] == ["31"]
    assert told["cofactor"]["number"] == SEMIPRIME


@pytest.mark.parametrize("query", ["proof=true", "certificate=false"])
def test_factors_come_without_a_proof(whole: Whole, query: str) -> None:
    response = whole.webs[0].get(f"/primes/91/factors?{query}")
    assert response.status == 400
    assert "expected none where factors are asked for" in response.json["error"]["message"]


@pytest.mark.parametrize(
    "number", [91, (10**9 + 7) * (10**9 + 9), (2**127 - 1) * (2**89 - 1), 2**4423 - 3], ids=lambda n: str(n.bit_length())
)
def test_the_evidence_shows_that_a_number_is_composite(whole: Whole, number: int) -> None:
    evidence = whole.webs[0].get(f"/primes/{gmpy2.mpz(number)}").json["evidence"]

    if "factor" in evidence:
        assert 1 < int(evidence["factor"]) < number
        assert number % int(evidence["factor"]) == 0
    else:
        assert not gmpy2.is_strong_prp(gmpy2.mpz(number), int(evidence["witness"]))


@pytest.mark.parametrize(
    ("path", "status", "code", "words"),
    [
        (
            "/primes/",
            400,
            "not_an_integer",
            f"{EXPECTED}, got '': column 1: expected a number or '(', got the end",
        ),
        ("/primes/7.0", 400, "not_an_integer", "got '7.0'"),
        ("/primes/1%2F3", 400, "no_integer", "1/3 is no integer"),
        ("/primes/" + "9" * 10_001, 413, "too_large", "10,001 digits came, at most 10,000 are taken"),
        *(
            (f"/primes/7?timeout={quote(bad)}", 400, "bad_request", f"got '{bad}'")
            for bad in ("0", "-1", "61", "nan", "inf", "soon", "1_0", "٣", ".5", "1e2", "5e", "1" * 39)
        ),
        ("/nothing", 404, "not_found", "No resource at /nothing"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_request_is_refused_with_a_sentence(whole: Whole, path: str, status: int, code: str, words: str) -> None:
    response = whole.webs[0].get(path)

    assert response.status == status
    assert response.json["error"]["code"] == code
    assert words in response.json["error"]["message"]
    assert response.json["error"]["retryable"] is False


def test_a_request_that_waited_long_enough_is_told_to_ask_again(manned: Front) -> None:
    with frozen(manned.worker0.pid):
        started = time.monotonic()
        response = manned.web0.get("/primes/97?timeout=0.2")
        waited = time.monotonic() - started

    assert response.status == 504
    assert waited >= 0.2
    assert response.json["error"] == {"code": "timeout", "message": "No answer within 0.2 s; ask again", "retryable": True}
    assert response.headers["Retry-After"] == "1"


def test_a_client_that_left_does_no_harm(manned: Front) -> None:
    with frozen(manned.worker0.pid), asking(manned.web0, "89") as (staying,):
        with socket.create_connection(("127.0.0.1", manned.web0.port)) as leaving:
            leaving.sendall(b"GET /primes/97 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: manned.web0.pending == 2, "both clients' jobs are accepted")
        thaw(manned.worker0.pid)

        assert staying.result().json["verdict"] == "prime"

    wait_until(lambda: manned.web0.pending == 0, "the job of the client that left is answered too")
    assert "Traceback" not in manned.web0.log.read_text()
