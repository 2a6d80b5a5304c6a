"""Sockets of one client address have limits, in nginx; what the address is, clients do not say."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.config.nginx_server import Answer
from tests.integration.conftest import Front
from tests.integration.waiting import wait_until
from tests.integration.web.behind_nginx import Site, behind_nginx, send

HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@contextmanager
def opened(port: int, more: str = "") -> Iterator[Answer]:
    """What a handshake is answered; a socket is open until the end."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
        connection.sendall(f"GET /chatsocket HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}{more}\r\n".encode())
        answer = HTTPResponse(connection)
        answer.begin()
        yield Answer(answer.status, answer.headers, b"" if answer.status == 101 else answer.read())


def status(port: int, more: str = "") -> int:
    with opened(port, more) as answer:
        return answer.status


def refused(port: int) -> Answer | None:
    """What a handshake is answered, if not a socket."""
    with opened(port) as answer:
        return answer if answer.status != 101 else None


def expect_429(answer: Answer) -> None:
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "5"
    assert answer.json["error"]["code"] == "too_many_sockets"
    assert answer.json["error"]["retryable"] is True


@pytest.fixture
def limited(front: Front, tmp_path: Path) -> Iterator[Site]:
    """Three sockets of one address."""
    with behind_nginx(front.web0, tmp_path, {"PRIMES_SOCKETS_PER_ADDRESS": "3"}) as site:
        yield site


@pytest.fixture
def proxied(front: Front, tmp_path: Path) -> Iterator[Site]:
    """One socket of one address, behind a proxy that is trusted, and another."""
    settings = {"PRIMES_SOCKETS_PER_ADDRESS": "1", "PRIMES_TRUSTED_PROXIES": "127.0.0.0/8,203.0.113.7"}
    with behind_nginx(front.web0, tmp_path, settings) as site:
        yield site


def test_one_socket_more_than_an_address_may_have_is_refused_until_one_closes(limited: Site) -> None:
    with ExitStack() as sockets:
        with opened(limited.port) as first:
            assert first.status == 101
            assert [sockets.enter_context(opened(limited.port)).status for _ in range(2)] == [101, 101]
            with opened(limited.port) as fourth:
                expect_429(fourth)
            # what clients say of their address is not believed
            assert status(limited.port, "X-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n") == 429
            for path in ("/readyz", "/primes/x", "/"):  # requests have no limit
                head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
                assert send(limited.port, head).status in (200, 400)
        wait_until(lambda: status(limited.port) == 101, "the place of the closed one is free")


def test_handshakes_that_come_too_fast_are_refused(front: Front, tmp_path: Path) -> None:
    with behind_nginx(front.web0, tmp_path, {"PRIMES_HANDSHAKES_PER_ADDRESS": "1"}) as site:
        statuses = [status(site.port) for _ in range(41)]
        assert statuses == [101] * 41  # what 40 s allow at once, and the one of now
        expect_429(wait_until(lambda: refused(site.port), "one that is more than that is refused"))


def test_where_there_are_no_limits_none_is_kept(front: Front, tmp_path: Path) -> None:
    none = {"PRIMES_SOCKETS_PER_ADDRESS": "0", "PRIMES_HANDSHAKES_PER_ADDRESS": "0"}
    with behind_nginx(front.web0, tmp_path, none) as site, ExitStack() as sockets:
        assert {sockets.enter_context(opened(site.port)).status for _ in range(1_100)} == {101}


def forwarded(addresses: str) -> str:
    return f"X-Forwarded-For: {addresses}\r\n"


SAME = [
    ("192.0.2.1", "192.0.2.1"),
    ("192.0.2.1", "6.6.6.6, 192.0.2.1"),  # what the client wrote itself
    ("192.0.2.1", "192.0.2.1, 203.0.113.7"),  # by way of the other proxy
    ("192.0.2.1", "::ffff:192.0.2.1"),
    ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
    ("2001:db8::1", "2001:db8:0:0:1::"),
    ("2001:a0a:a0a:a0a::1", "2001:a0a:a0a:a0a:a0a:a0a:a0a:a0a"),  # whose bytes are line feeds
]
DIFFERENT = [
    ("192.0.2.1", "192.0.2.2"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ("2001:db8:1:2::1", "2001:db8:1:3::1"),
    ("2001:db8::1", "2001:db8:0:1::1"),
    ("2001:db8::1", "::1"),
    ("192.0.2.1", "192.0.2.1, 198.51.100.1"),  # no proxy that is trusted
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_clients_of_one_address_or_one_64_share_a_limit(proxied: Site, first: str, second: str) -> None:
    with opened(proxied.port, forwarded(first)) as answer:
        assert answer.status == 101
        assert status(proxied.port, forwarded(second)) == 429


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_clients_of_different_addresses_do_not(proxied: Site, first: str, second: str) -> None:
    with opened(proxied.port, forwarded(first)) as answer:
        assert answer.status == 101
        assert status(proxied.port, forwarded(second)) == 101


def test_the_log_has_the_client_that_the_proxy_names(proxied: Site) -> None:
    send(proxied.port, f"GET /primes/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{forwarded('192.0.2.9')}\r\n".encode())
    wait_until(lambda: "/primes/x" in proxied.nginx.access_log, "the line is written")
    (line,) = (line for line in map(json.loads, proxied.nginx.access_log.splitlines()) if line["path"] == "/primes/x")
    assert line["client"] == "192.0.2.9"
