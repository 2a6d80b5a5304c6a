"""Bodies where none belongs, and headers that are too long: refused by nginx before a web process sees them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.conftest import Front
from tests.integration.processes import memory
from tests.integration.web.behind_nginx import Site, behind_nginx, send

BODY = 49_000_000  # bytes, which nginx would take of an upload
MIB = 1024 * 1024

NO_BODY = (
    "POST /jobs takes a body of up to 50 MB, POST /jobs/preview of 64 KiB, POST /certificates of 1 MiB, and nothing else takes one."
)
ROUTES = [
    *(("GET", path) for path in ("/primes/97", "/jobs", "/jobs/x", "/healthz", "/", "/static/page.js", "/chatsocket", "/nothing")),
    *(("POST", path) for path in ("/primes/97", "/jobs/x", "/jobs/", "/healthz", "/nothing")),
    *(("PUT", path) for path in ("/jobs", "/primes/97")),
    ("DELETE", "/jobs/x"),
]
OPERATORS = [
    *(("GET", path) for path in ("/", "/figures", "/dead-letters")),
    *(("POST", path) for path in ("/dead-letters/1-1/retry", "/jobs", "/nothing")),
    ("DELETE", "/dead-letters/1-1"),
]


@pytest.fixture
def site(manned: Front, tmp_path: Path) -> Iterator[Site]:
    with behind_nginx(manned.web0, tmp_path) as site:
        yield site


def expect_413(port: int, method: str, path: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for body in (
        f"Content-Length: {BODY}\r\n\r\n",
        "Content-Length: 1\r\n\r\n7",
        "Transfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n",
    ):
        answer = send(port, (head + body).encode())
        assert answer.status == 413, (method, path, body)
        assert answer.json["error"]["code"] == "body_too_large"
        assert answer.json["error"]["message"] == NO_BODY


def test_a_body_is_refused_where_none_belongs(site: Site) -> None:
    for method, path in ROUTES:
        expect_413(site.port, method, path)


def test_a_body_is_refused_on_the_operators_port(site: Site) -> None:
    for method, path in OPERATORS:
        if (method, path) == ("POST", "/jobs"):  # no route there, so its body ends with the refusal of its method
            assert send(site.operators_port, b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n7").status in (
                404,
                405,
            )
        else:
            expect_413(site.operators_port, method, path)


def test_a_body_that_is_sent_all_the_same_costs_the_web_process_nothing(manned: Front, site: Site) -> None:
    before = memory(manned.web0.pid)
    head = f"GET /primes/97 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {BODY}\r\n\r\n".encode()
    assert send(site.port, head + b"7" * (4 * MIB)).status == 413
    assert memory(manned.web0.pid) - before < MIB


def test_who_sends_unwanted_bodies_one_after_the_other_waits_and_nobody_else(site: Site) -> None:
    head = b"GET /primes/97 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    body = head + b"Content-Length: 1\r\n\r\n7"
    with ExitStack() as stack:

        def ask(address: str) -> socket.socket:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), 20, (address, 0)))
            connection.sendall(body)
            return connection

        asked = [ask("127.0.0.1") for _ in range(60)]
        assert is_answered(ask("127.0.0.2")), "another client"
        assert send(site.port, head + b"\r\n").status == 200, "the same one, without a body"
        unwanted = head.replace(b"/primes/97", b"/metrics") + b"\r\n"
        assert [send(site.port, unwanted).status for _ in range(30)] == [404] * 30, "and its other errors"
        assert 20 < sum(map(is_answered, asked)) < 60, "20 wait, the others are closed"


def is_answered(connection: socket.socket) -> bool:
    """Whether the refusal comes before the connection is closed."""
    try:
        return b" 413 " in connection.recv(64)
    except ConnectionResetError:
        return False


@pytest.mark.parametrize("length", ["Content-Length: 0\r\n", "Content-Length: 000\r\n", ""])
def test_no_body_is_none_to_refuse(site: Site, length: str) -> None:
    head = f"GET /primes/97 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}\r\n"
    assert send(site.port, head.encode()).status == 200


def test_an_upload_keeps_its_body(site: Site) -> None:
    head = "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    for body in ("Content-Length: 3\r\n\r\n97\n", "Transfer-Encoding: chunked\r\n\r\n3\r\n97\n\r\n0\r\n\r\n"):
        answer = send(site.port, (head + body).encode())
        assert (answer.status, answer.body.splitlines()[-1]) == (200, b'{"done":true,"lines":1,"answers":1}')


def with_headers(size: int, line: int, path: str = "/primes/97") -> bytes:
    """A request whose header lines take `size` bytes, in lines of `line` bytes."""
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()
    lines = [b"X-%03d: " % number + b"7" * (line - 9) + b"\r\n" for number in range(size // line)]
    return head + b"".join(lines) + b"\r\n"


def test_what_nginx_passes_the_web_process_takes(site: Site) -> None:
    statuses = {}
    for line in (100, 1_000, 10_000, 16_000, 31_000, 32_700):
        for size in range(line, 150_000, max(line, 3_000)):
            answer = send(site.port, with_headers(size, line))
            statuses[line, size] = answer.status
            if answer.status != 200:
                assert (answer.status, answer.json["error"]["code"]) == (431, "headers_too_large"), (line, size)
                assert answer.json["error"]["retryable"] is False
    assert all(status == 431 for (_, size), status in statuses.items() if size > 67_000)
    assert all(status == 200 for (_, size), status in statuses.items() if size <= 32_000)


def test_headers_that_are_too_long_are_refused_on_the_operators_port(site: Site) -> None:
    assert send(site.operators_port, with_headers(60_000, 10_000, "/dead-letters")).status == 200
    answer = send(site.operators_port, with_headers(80_000, 10_000, "/dead-letters"))
    assert (answer.status, answer.json["error"]["code"]) == (431, "headers_too_large")


def test_a_long_number_leaves_room_for_headers(site: Site) -> None:
    path = "/primes/" + "7" * 10_000
    assert send(site.port, with_headers(20_000, 4_000, path)).status == 200
