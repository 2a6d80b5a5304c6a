"""Strange requests, of a web process and through nginx: each has its status and a sentence, and none is a fault of the service."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Front
from tests.integration.web.behind_nginx import Site, behind_nginx, send, send_raw

HOST, CLOSE = b"Host: localhost\r\n", b"Connection: close\r\n"
GET = b"GET /primes/97 HTTP/1.1\r\n"
USUAL = HOST + CLOSE
CHUNKED = b"Transfer-Encoding: chunked\r\n"
TEXT = b"3\r\n97\n\r\n0\r\n\r\n"  # a number, as the one chunk of a body
ANY = {200, 400}  # as the one or the other version of nginx has it


def asking(fields: bytes = USUAL, line: bytes = GET) -> bytes:
    return line + fields + b"\r\n"


def sending(fields: bytes, body: bytes = b"97\n", path: bytes = b"/jobs") -> bytes:
    return b"POST %b HTTP/1.1\r\nContent-Type: text/plain\r\n" % path + USUAL + fields + b"\r\n" + body


def target(path: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, path, version, USUAL)


# What is asked, and the statuses of a web process and of nginx.
REQUESTS: dict[str, tuple[bytes, set[int], set[int]]] = {
    # Host
    "no host": (asking(CLOSE), {400}, {400}),
    "two hosts": (asking(USUAL + b"Host: evil.example\r\n"), {400}, {400}),
    "a host twice": (asking(USUAL + HOST), {400}, {400}),
    "host with a port": (asking(b"Host: localhost:8080\r\n" + CLOSE), {200}, {200}),
    "host with a port that is none": (asking(b"Host: localhost:abc\r\n" + CLOSE), {200}, ANY),
    "host with a dot behind it": (asking(b"Host: localhost.\r\n" + CLOSE), {200}, {200}),
    "host of IPv6": (asking(b"Host: [::1]:80\r\n" + CLOSE), {200}, {200}),
    "host of half IPv6": (asking(b"Host: [::1\r\n" + CLOSE), {200}, {400}),
    "host with a slash": (asking(b"Host: a/b\r\n" + CLOSE), {400}, {400}),
    "host that is not ASCII": (asking(b"Host: \xff\xfe\r\n" + CLOSE), {400}, {400}),
    "a space before the colon": (asking(b"Host : localhost\r\n" + CLOSE), {400}, {400}),
    "a whole URL": (target(b"http://localhost/primes/97"), {404}, {200}),
    "a URL of IPv6 that is none": (target(b"http://[::1/primes/97"), {404}, {400}),
    # Expect
    "expects 100": (sending(b"Content-Length: 3\r\nExpect: 100-continue\r\n"), {200}, {200}),
    "expects 100 without a body": (asking(USUAL + b"Expect: 100-continue\r\n"), {200}, {200}),
    "expects what nobody knows": (asking(USUAL + b"Expect: tea\r\n"), {200}, {200}),
    # bodies
    "trailers": (sending(CHUNKED + b"Trailer: X\r\n", b"3\r\n97\n\r\n0\r\nX: y\r\n\r\n"), {400}, {200}),
    "extension of a chunk": (sending(CHUNKED, b"3;a=b\r\n97\n\r\n0\r\n\r\n"), {400}, {200}),
    "chunk of no length": (sending(CHUNKED, b"zz\r\n97\n\r\n0\r\n\r\n"), {400}, {400}),
    "chunk of a length below 0": (sending(CHUNKED, b"-3\r\n97\n\r\n0\r\n\r\n"), {400}, {400}),
    "chunk above 2^64": (sending(CHUNKED, b"f" * 18 + b"\r\n97\n\r\n0\r\n\r\n"), {400}, {400}),
    "chunk without its end": (sending(CHUNKED, b"3\r\n97\nXX0\r\n\r\n"), {400}, {400}),
    "gzip, chunked": (sending(b"Transfer-Encoding: gzip, chunked\r\n", TEXT), {400}, {501}),
    "identity": (sending(b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n"), {400}, {400, 501}),
    "an encoding that nobody knows": (sending(b"Transfer-Encoding: xchunked\r\n", TEXT), {400}, {501}),
    "encoding twice": (sending(CHUNKED + b"Transfer-Encoding: identity\r\n", TEXT), {400}, {400}),
    "encoding and length": (sending(CHUNKED + b"Content-Length: 3\r\n", TEXT), {400}, {400}),
    "length and encoding": (sending(b"Content-Length: 3\r\n" + CHUNKED, TEXT), {400}, {400}),
    "encoding on a line of its own": (sending(b"Transfer-Encoding:\r\n chunked\r\n", TEXT), {400}, {400}),
    "two lengths": (sending(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"97\n\n"), {400}, {400}),
    **{
        f"length {length!r} to {path.decode()}": (sending(b"Content-Length: %b\r\n" % length, path=path), {400}, {400})
        for path in (b"/jobs", b"/certificates")
        for length in (b"+3", b"-3", b"0x3", b"1_0", b"\xd9\xa3", b"9" * 30, b"9" * 5_000)
    },
    # lines and bytes
    "a folded line": (asking(USUAL + b"X-A: a\r\n b\r\n"), {400}, {400}),
    "a blank before the first field": (asking(b" X: y\r\n" + USUAL), {400}, {400}),
    "a bare carriage return": (asking(USUAL + b"X-A: a\rb\r\n"), {400}, {400}),
    "NUL in a field": (asking(USUAL + b"X-A: a\0b\r\n"), {400}, {400}),
    "NUL in the path": (target(b"/primes/9\x007"), {400}, {400}),
    "%00 in the path": (target(b"/primes/9%007"), {400}, {400}),
    "half a percent code": (target(b"/primes/9%zz"), {400}, {400}),
    "a path that is not UTF-8": (target(b"/primes/%ff"), {400}, {400}),
    "bytes above ASCII in the path": (target(b"/primes/\xff"), {400}, {400}),
    "a query that is not UTF-8": (target(b"/primes/97?timeout=%ff"), {400}, {400}),
    "a long URL": (target(b"/primes/" + b"7" * 40_000), {413}, {414}),
    "a field without a colon": (asking(USUAL + b"nonsense\r\n"), {400}, ANY),
    "a field without a name": (asking(USUAL + b": x\r\n"), {400}, ANY),
    "a space in the path": (target(b"/primes/9 7"), {400}, {400}),
    "no method": (target(b"/primes/97", b""), {400}, {400}),
    "no HTTP": (b"\xff\xfe\xfd\r\n\r\n", {400}, {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", {400}, {400}),
    "out of the folder": (target(b"/../../etc/passwd"), {404}, {400}),
    "out of the folder, coded": (target(b"/static/..%2f..%2fnginx.conf"), {404}, {400}),
    # methods and versions
    "TRACE": (target(b"/primes/97", b"TRACE"), {405}, {405}),
    "OPTIONS": (target(b"/primes/97", b"OPTIONS"), {405}, {405}),
    "CONNECT": (target(b"localhost:80", b"CONNECT"), {405}, {400, 405}),
    "PROPFIND": (target(b"/primes/97", b"PROPFIND"), {405}, {405}),
    "TRACE of uploads": (target(b"/jobs", b"TRACE"), {405}, {405}),
    "POST of a file": (target(b"/static/page.css", b"POST"), {404}, {405}),
    "get": (target(b"/primes/97", b"get"), {405}, {400}),
    "HTTP/2.0 without TLS": (target(b"/primes/97", version=b"HTTP/2.0"), {400}, {400, 505}),
    "HTTP/1.2": (target(b"/primes/97", version=b"HTTP/1.2"), {200}, {200}),
    "HTTP/11": (target(b"/primes/97", version=b"HTTP/11"), {400}, {400, 505}),
    "h2c": (asking(USUAL + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"), {200}, {200}),
    # fields that others read
    "cookie that is none": (asking(USUAL + b'Cookie: \xff="\\;;;=\r\n'), {200}, {200}),
    "addresses that are none": (
        asking(USUAL + b"X-Request-ID: \xff\r\nX-Real-IP: none\r\nX-Forwarded-For: [::1\r\n"),
        {200},
        {200},
    ),
    "charset that is none": (
        b"POST /jobs HTTP/1.1\r\n" + USUAL + b"Content-Type: text/plain; charset=\xff\r\nContent-Length: 3\r\n\r\n97\n",
        {415},
        {415},
    ),
    "a form": (
        b"POST /jobs HTTP/1.1\r\n" + USUAL + b"Content-Type: multipart/form-data\r\nContent-Length: 3\r\n\r\n97\n",
        {415},
        {415},
    ),
    "gzip twice": (sending(b"Content-Encoding: gzip, gzip\r\nContent-Length: 3\r\n"), {415}, {415}),
    "key that is not ASCII": (sending(b"Idempotency-Key: \xff\r\nContent-Length: 3\r\n"), {400}, {400}),
}


@pytest.fixture
def site(manned: Front, tmp_path: Path) -> Iterator[Site]:
    with behind_nginx(manned.web0, tmp_path) as site:
        yield site


def check(read: bytes, statuses: set[int], name: str) -> None:
    """An answer that is said in JSON, or the empty one that Tornado has for what is no HTTP."""
    head, _, body = re.sub(rb"^HTTP/1.1 100 .*?\r\n\r\n", b"", read, flags=re.DOTALL).partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    assert status in statuses, name
    if status != 200 and body:
        error = json.loads(body)["error"]
        assert error["message"] and error["code"], name
    assert b"Traceback" not in read, name
    assert status != 405 or re.search(rb"^Allow: ", head, re.MULTILINE), name


def test_a_web_process_answers_every_strange_request(manned: Front) -> None:
    for name, (request, statuses, _) in REQUESTS.items():
        check(send_raw(manned.web0.port, request), statuses, name)
    check_no_fault(manned)


def test_nginx_answers_every_strange_request_with_a_sentence(manned: Front, site: Site) -> None:
    for name, (request, _, statuses) in REQUESTS.items():
        read = send_raw(site.port, request)
        check(read, statuses, name)
        assert read.partition(b"\r\n\r\n")[2], name
    check_no_fault(manned)


def test_the_operators_port_answers_every_strange_request(manned: Front, site: Site) -> None:
    for name, (request, *_) in REQUESTS.items():
        check(send_raw(site.operators_port, request.replace(b"/primes/97", b"/dead-letters")), {*range(200, 500), 501, 505}, name)
    check_no_fault(manned)


def check_no_fault(front: Front) -> None:
    assert all("Traceback" not in text and "Uncaught" not in text for name, text in front.logs() if name == "web0")
    assert front.web0.get("/primes/97").json["verdict"] == "prime"


@pytest.mark.parametrize("where", ["web process", "nginx"])
def test_requests_that_are_sent_in_one_go_are_answered_in_order(manned: Front, site: Site, where: str) -> None:
    port = site.port if where == "nginx" else manned.web0.port
    numbers = [1_000 + n for n in range(50)]
    requests = [b"GET /primes/%d HTTP/1.1\r\n" % n + HOST + (CLOSE if n == numbers[-1] else b"") + b"\r\n" for n in numbers]
    read = send_raw(port, b"".join(requests))
    assert [int(number) for number in re.findall(rb'"number": "([0-9]+)"', read)] == numbers


SMUGGLED = b"GET /primes/13 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        sending(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n" + SMUGGLED),
        sending(CHUNKED + b"Content-Length: %d\r\n" % (5 + len(SMUGGLED)), b"0\r\n\r\n" + SMUGGLED),
        sending(b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + SMUGGLED),
        sending(b"Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + SMUGGLED),
        sending(b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + SMUGGLED),
        sending(b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(SMUGGLED), SMUGGLED),
    ],
    ids=range(6),
)
@pytest.mark.parametrize("where", ["web process", "nginx"])
def test_no_request_hides_in_another(manned: Front, site: Site, where: str, request_: bytes) -> None:
    read = send_raw(site.port if where == "nginx" else manned.web0.port, request_)
    assert read.count(b"HTTP/1.1 ") == 1
    assert b'"number": "13"' not in read


def test_what_a_client_wrote_is_never_said_back_by_trace(site: Site) -> None:
    answer = send(site.port, target(b"/primes/97", b"TRACE").replace(CLOSE, CLOSE + b"X-Secret: swordfish\r\n"))
    assert (answer.status, answer.headers["Allow"]) == (405, "HEAD, GET")
    assert b"swordfish" not in answer.body
