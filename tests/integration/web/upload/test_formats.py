"""The answers to an upload as CSV, and the primes alone: what they hold, how they go on, and how a client knows that all came."""

import csv
import http.client
import io
import zlib
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import gmpy2
import pytest

from tests.integration.conftest import Front, Whole
from tests.integration.plain_clients import SLOW
from tests.integration.processes import frozen
from tests.integration.stack import get
from tests.integration.uploading import PATIENCE, TEXT, Sender, lines, numbers, post, text
from tests.integration.waiting import wait_until
from tests.integration.web.behind_nginx import behind_nginx

ODD = ["", "seven", "=1+1", "-7", "# a comment", "2^7-1 // an expression", "007", "9" * 10_001, "10^1000", "\u0667", "+5"]


def rows(body: bytes) -> list[dict[str, str]]:
    """What a reader of CSV has, without the empty cells."""
    return [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(io.StringIO(body.decode(), newline=""))]


def as_row(answer: dict[str, Any]) -> dict[str, str]:
    """What a row should say of an object of NDJSON, without its text."""
    flat = {name: answer[name] for name in ("line", "verdict", "method") if answer.get(name)}
    flat |= {"proven": str(answer["proven"]).lower()} if "proven" in answer else {}
    flat |= answer.get("evidence", {})
    flat |= {"error": answer["error"]["code"], "message": answer["error"]["message"]} if "error" in answer else {}
    return {name: str(cell) for name, cell in flat.items()}


def test_a_table_says_of_every_line_what_ndjson_says_and_its_text(whole: Whole) -> None:
    asked = [*numbers(3_000, 21, 100), *ODD, *numbers(300, 22)]

    response = post(whole.webs[0].port, text(asked), path="/jobs?format=csv")

    assert (response.status, response.headers["Content-Type"]) == (200, "text/csv; charset=utf-8; header=present")
    *told, done = lines(whole.webs[1].get(response.headers["Location"]).body)
    assert done == {"done": True, "lines": len(asked), "answers": len(told)} and not any("text" in one for one in told)
    found = rows(response.body)
    assert [{name: cell for name, cell in row.items() if name != "text"} for row in found] == [as_row(one) for one in told]
    texts = {row["line"]: row.get("text") for row in found if "verdict" in row}
    expected = {line: asked[int(line) - 1].partition(" //")[0] for line in texts}
    assert texts == expected
    assert whole.webs[1].get(f"{response.headers['Location']}?format=csv").body == response.body


def test_the_primes_alone_are_told_as_they_came_and_are_a_list_of_their_own(whole: Whole) -> None:
    asked = [*numbers(3_000, 23), *ODD, str(gmpy2.next_prime(10**40))]

    response = post(whole.webs[0].port, text(asked), path="/jobs?format=primes")

    assert (response.status, response.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    primes = [line for line in asked if line.isdecimal() and len(line) < 1_000 and gmpy2.is_prime(int(line))]
    told = response.body.decode().splitlines()
    assert sorted(told) == sorted([*primes, "2^7-1", "+5"])
    again = post(whole.webs[0].port, response.body, path="/jobs?format=primes")
    assert again.body == response.body


def test_terms_of_a_b_file_have_their_index_and_other_forms_need_no_format_when_they_are_sent(whole: Whole) -> None:
    location = post(whole.webs[0].port, b"# A000040\n1 2\n2 4\n3 5\n").headers["Location"]
    assert whole.webs[1].get(f"{location}?format=primes").body == b"1 2\n3 5\n"
    assert [row["index"] for row in rows(whole.webs[1].get(f"{location}?format=csv").body)] == ["1", "2", "3"]
    location = post(whole.webs[0].port, b"ABC $a*2^$b-1\n1 7\n-3 5\n").headers["Location"]
    first, second = rows(whole.webs[1].get(f"{location}?format=csv").body)
    assert (first["text"], first["variables"], first["verdict"]) == ("1*2^7-1", "a=1 b=7", "prime")
    assert (second["line"], second["variables"], second["text"][0]) == ("3", "a=-3 b=5", "'")


def test_a_table_goes_on_behind_a_row_without_titles(whole: Whole) -> None:
    response = post(whole.webs[0].port, text(numbers(1_000, 24)), {"Prefer": "respond-async"}, path="/jobs?format=csv")
    assert response.status == 202
    location = response.headers["Location"]
    table = whole.webs[1].get(f"{location}?format=csv").body
    kept = table[: table.index(b"\r\n", 20_000) + 2]  # what a client had when its connection broke, up to the last whole row
    last = rows(kept)[-1]["line"]
    assert kept + whole.webs[0].get(f"{location}?format=csv&offset={last}").body == table

    location = post(whole.webs[0].port, b"[2, 3, 5,\n 7]").headers["Location"]
    (first, *_) = rows(whole.webs[0].get(f"{location}?format=csv").body)
    assert (first["line"], first["item"]) == ("1", "1")
    assert whole.webs[0].get(f"{location}?format=primes&offset=2").body == b"5\n7\n"


@pytest.mark.parametrize(("format", "told"), [("ndjson", 1), ("csv", 2), ("primes", 1)])
def test_what_is_computed_is_told_through_nginx_while_a_slow_number_is_awaited(
    manned: Front, tmp_path: Path, format: str, told: int
) -> None:
    with behind_nginx(manned.web0, tmp_path) as site, closing(HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)) as client:
        client.request("POST", f"/jobs?format={format}", text(["97", SLOW, "101"]), {**TEXT, "Accept-Encoding": "gzip"})
        response = client.getresponse()
        unpack = zlib.decompressobj(31).decompress if response.headers["Content-Encoding"] == "gzip" else bytes
        first = b""
        while first.count(b"\n") < told:  # in one piece or in several
            piece = response.read1()
            assert piece, "the list ends with its first lines"
            first += unpack(piece)
        assert first.count(b"\n") == told  # with the titles of the table
        assert get(site.port, response.headers["Location"], method="DELETE").status == 204


@pytest.mark.parametrize("format", ["csv", "primes"])
def test_a_plain_list_whose_numbers_were_not_kept_has_no_such_list(whole: Whole, format: str) -> None:
    location = post(whole.webs[0].port, b"97\n91\n").headers["Location"]
    response = whole.webs[1].get(f"{location}?format={format}")
    assert (response.status, response.json["error"]["code"]) == (404, "not_found")
    assert "send it with ?format=csv" in response.json["error"]["message"]
    assert len(lines(whole.webs[1].get(location).body)) == 3


@pytest.mark.parametrize("format", ["CSV", "xml", ""])
def test_a_format_that_there_is_not_is_refused(manned: Front, format: str) -> None:
    for response in (
        post(manned.web0.port, b"97", path=f"/jobs?format={format}"),
        manned.web0.get(f"/jobs/{'a' * 22}?format={format}"),
    ):
        assert (response.status, response.json["error"]["code"]) == (400, "bad_request")
        assert response.json["error"]["message"] == f"format: expected one of ndjson, csv, primes, got {format!r}"


def test_a_list_of_which_nothing_came_in_time_is_no_empty_one(manned: Front) -> None:
    with frozen(manned.worker0.pid):
        location = post(manned.web0.port, b"2\n3\n", {"Prefer": "respond-async"}, path="/jobs?format=primes").headers["Location"]
        response = manned.web0.get(f"{location}?format=primes&timeout=0.2")
        assert (response.status, response.json["error"]["code"]) == (504, "timeout")
        assert response.headers["Retry-After"] == "1"
    assert manned.web0.get(f"{location}?format=primes").body == b"2\n3\n"
    assert post(manned.web0.port, b"4\n", path="/jobs?format=primes").body == b""  # all came, and none is prime


@pytest.fixture
def half(manned: Front) -> Iterator[str]:
    """The path of an upload of which a half was sent, and all of that is computed."""
    body = text(numbers(10_000, 25))
    with Sender(manned.web0.port, len(body), Idempotency_Key="half", path="/jobs?format=csv") as client:
        client.send(body[: len(body) // 2])
        wait_until(lambda: manned.web0.metric("primes_web_uploads_active") == 1, "the upload has begun")
        refused = post(manned.web0.port, b"x", {"Idempotency-Key": "half"})
        assert refused.status == 409
        path = refused.headers["Location"]
        wait_until(lambda: len(lines(manned.web0.get(f"{path}?timeout=0").body)) > 3_000, "much of it is computed")
        yield path


@pytest.mark.parametrize("format", ["csv", "primes"])
def test_a_list_that_is_not_complete_breaks_off_and_ndjson_does_not(manned: Front, half: str, format: str, tmp_path: Path) -> None:
    with behind_nginx(manned.web0, tmp_path) as site:
        for port in (manned.web0.port, site.port):
            with pytest.raises(http.client.IncompleteRead) as broken:
                get(port, f"{half}?format={format}&timeout=0")
            assert broken.value.partial.count(b"\n") > 100
            assert "done" not in lines(get(port, f"{half}?timeout=0").body)[-1]
