"""Pages of which origins may open a socket, asked of a real web process."""

import socket

import pytest

from tests.integration.conftest import Front
from tests.integration.stack import Web

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455


def knock(web: Web, origin: str | None, *more: str) -> int:
    """The status of the answer to a handshake with this Origin, or with none, and these headers."""
    fields = ["GET /chatsocket HTTP/1.1", "Host: primes.example", "Upgrade: websocket", "Connection: Upgrade", *more]
    fields += [f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13", *([f"Origin: {origin}"] if origin is not None else [])]
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*fields, "", ""]).encode())
        return int(connection.makefile("rb").readline().split()[1])


STATUSES = {  # where https://example.org and https://example.com:8443 are allowed
    "https://example.org": 101,
    "https://example.com:8443": 101,
    "https://evil.example": 403,
    "http://example.org": 403,  # another scheme
    "https://example.org:444": 403,
    "https://example.org.evil.example": 403,
    "http://primes.example": 403,  # as Host has it: a name that somebody makes point at this host
    "http://[::1": 403,  # no URL
    "": 403,
    "null": 403,  # a page without an origin, such as a file
    None: 101,  # no page: programs say nothing of an origin
}


def test_a_page_of_a_foreign_origin_gets_no_socket(front: Front) -> None:
    web = front.web("choosy", "--allowed-origins", "https://example.org,https://example.com:8443")
    front.wait_ready(web)
    assert {origin: knock(web, origin) for origin in STATUSES} == STATUSES


def test_any_page_may_open_a_socket_where_no_origins_are_named(front: Front) -> None:
    assert {knock(front.web0, origin) for origin in STATUSES} == {101}


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
def test_what_the_browser_says_of_the_site_changes_nothing(front: Front, site: str) -> None:
    web = front.web("choosy", "--allowed-origins", "https://example.org")
    front.wait_ready(web)
    told = f"Sec-Fetch-Site: {site}"
    assert [knock(web, origin, told) for origin in (None, "https://example.org", "http://primes.example")] == [101, 101, 403]
