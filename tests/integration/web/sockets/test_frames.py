"""Frames of every size, and those that break a rule, on their way through nginx to a real web process and back."""

import itertools
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from services.web.socket import MAX_MESSAGE
from services.web.sockets import frames
from tests.integration.conftest import Front
from tests.integration.plain_clients import NOT_PRIME, PRIME
from tests.integration.web.behind_nginx import behind_nginx
from tests.integration.web.sockets.test_handshakes import handshake
from tests.unit.web.sockets.rfc6455 import CLOSE, TEXT, frame
from tests.unit.web.sockets.test_strict import GOOD_CODES, TOO_BIG, VIOLATIONS, closing

PATIENCE = 30  # seconds
PING = b"\x89\x00"  # comes whenever it is its time, which no answer holds back
DUE, NOT_DUE = (frames.text(answer.encode()) for answer in (PRIME, NOT_PRIME))
END, CLOSED = frame(b"\x03\xe8", opcode=CLOSE), b"\x88\x02\x03\xe8"


@pytest.fixture(params=["web process", "nginx"])
def port(request: pytest.FixtureRequest, manned: Front, tmp_path: Path) -> Iterator[int]:
    """Of a web process, or of nginx in front of it."""
    if request.param == "web process":
        yield manned.web0.port
    else:
        with behind_nginx(manned.web0, tmp_path) as site:
            yield site.port


def converse(port: int, parts: Iterable[bytes], last: bytes, end: bytes = END) -> bytes:
    """Send these parts, read until this has come, send the end and read until the server's: what came behind its handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(handshake())
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        for part in parts:
            peer.sendall(part)
        read = b""
        while not read.endswith(last):
            came = peer.recv(65_536)
            assert came, "the server has ended the socket"
            read = (read + came).replace(PING, b"")
        peer.sendall(end)
        return (read + b"".join(iter(lambda: peer.recv(65_536), b""))).replace(PING, b"")


def cut(text: bytes, width: int) -> Iterator[bytes]:
    """This, some bytes at a time."""
    return (text[at : at + width] for at in range(0, len(text), width))


@pytest.mark.parametrize("size", [64 << 10, 256 << 10, 1 << 20, MAX_MESSAGE])
@pytest.mark.parametrize("width", [256, 4 << 10, MAX_MESSAGE])
def test_a_large_message_in_parts_is_answered_in_its_turn_and_the_next_one_too(port: int, size: int, width: int) -> None:
    width = max(width, size // 4096)  # of so many parts at most
    pieces = list(cut(b"7" * size, width))
    large = (frame(piece, opcode=0 if at else TEXT, final=at == len(pieces) - 1) for at, piece in enumerate(pieces))
    read = converse(port, itertools.chain([frame(b"97")], large, [frame(b"91")]), NOT_DUE)
    first, _, rest = read.partition(b"Number too large: ")
    assert first.startswith(DUE)
    assert f"{size:,} characters came".encode() in rest or size == 64 << 10
    assert rest.endswith(NOT_DUE + CLOSED)


@pytest.mark.parametrize("width", [64, 997, 64 << 10])
def test_packets_need_not_be_frames(port: int, width: int) -> None:
    sent = frame(b"97") * 300 + frame(b"7" * (64 << 10)) + frame(b"97") * 300 + frame(b"91")
    read = converse(port, cut(sent, width), NOT_DUE)
    assert read.count(DUE) == 600
    assert read.count(b"Number too large: ") == 1
    assert read.endswith(NOT_DUE + CLOSED)


def test_each_violation_ends_with_its_code(port: int) -> None:
    codes = {name: code for name, (_, code) in VIOLATIONS.items() if code != TOO_BIG}
    told = {}
    for name in codes:
        due, close, end = converse(port, [frame(b"97")], DUE, VIOLATIONS[name][0]).partition(b"\x88")
        assert due.startswith(DUE), name
        assert close and end[0] == len(end) - 1, name
        told[name] = int.from_bytes(end[1:3])
    assert told == codes


def test_a_message_above_the_limit_ends_with_its_code(port: int) -> None:
    half = MAX_MESSAGE // 2
    whole, parts = frame(bytes(MAX_MESSAGE + 1))[:14], frame(b"7" * half, final=False) + frame(b"7" * (half + 1), opcode=0)[:14]
    for above in (whole, parts):
        due, _, end = converse(port, [frame(b"97")], DUE, above).partition(b"\x88")
        assert due == DUE
        assert int.from_bytes(end[1:3]) == TOO_BIG


def test_a_code_that_may_be_sent_comes_back(port: int) -> None:
    for code in GOOD_CODES:
        assert converse(port, [frame(b"97")], DUE, closing(code, b"bye")) == DUE + b"\x88\x02" + code.to_bytes(2)
