"""Frames of any kind, against a WebSocket library that is not ours: it hears the same messages and ends with the same code."""

import asyncio
import codecs
from collections.abc import Iterator

import pytest
import uvloop
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from tests.unit.web.sockets.rfc6455 import BINARY, CLOSE, MASK, PING, PONG, TEXT, frame
from tests.unit.web.sockets.test_lean import MOST_MESSAGE, SECONDS, Site, quiet, received, split  # noqa: F401 - a fixture

PROTOCOL_ERROR, NO_UTF8, TOO_BIG, NO_CODE = 1002, 1007, 1009, 1005

payloads = st.one_of(
    st.binary(max_size=8),
    st.text(max_size=8).map(str.encode),
    st.integers(0, 10**20).map(lambda n: b"%d" % n),
    st.sampled_from([124, 125, 126, 127, 65_535, 65_536, MOST_MESSAGE, MOST_MESSAGE + 1]).map(lambda size: b"7" * size),
)
codes = st.integers(0, 65_535) | st.sampled_from([999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000])
closes = st.one_of(
    st.just(b""), st.binary(max_size=3), st.tuples(codes, payloads).map(lambda close: (close[0].to_bytes(2) + close[1])[:125])
)
opcodes = st.sampled_from([TEXT, TEXT, TEXT, 0, 0, BINARY, PING, PONG])
usual = st.builds(frame, payloads, opcode=st.sampled_from([TEXT, TEXT, BINARY]))
parts = st.builds(frame, payloads, opcode=opcodes, final=st.booleans())
strange = st.builds(
    frame,
    payloads,
    opcode=st.integers(0, 15),
    final=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 0x10, 0x20, 0x40, 0x70]),
    mask=st.sampled_from([MASK, MASK, MASK, bytes(4), None]),
    form=st.sampled_from([0, 0, 64]),
)
ends = st.builds(frame, closes, opcode=st.just(CLOSE))
spoken = st.lists(usual | usual | parts | parts | strange | ends, max_size=10)

Heard = tuple[list[str | bytes], set[int]]


def expected(sent: list[bytes]) -> Heard:
    """What the other library hears in these frames, and codes with which it may end.

    It leaves the reading of text to us; the bound of a message, against which it holds pings and closes within one too; and that a
    control frame has a length of 7 bits, though it be a short one.
    """
    protocol = ServerProtocol(state=OPEN, max_size=None)
    heard: list[str | bytes] = []
    parts, kind, text = b"", Opcode.TEXT, codecs.getincrementaldecoder("utf-8")()
    for part in sent:
        if part[0] & CLOSE and part[1] & 127 > 125:
            return heard, {PROTOCOL_ERROR}
        protocol.receive_data(part)
        for event in protocol.events_received():
            assert isinstance(event, Frame)
            if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                kind, parts, text = event.opcode, b"", codecs.getincrementaldecoder("utf-8")()
            elif event.opcode is not Opcode.CONT:
                continue
            parts += event.data
            if len(parts) > MOST_MESSAGE:
                return heard, {TOO_BIG}
            try:
                if kind is Opcode.TEXT:
                    text.decode(bytes(event.data), event.fin)
            except UnicodeDecodeError:
                return heard, {NO_UTF8}
            if event.fin:
                heard.append(parts.decode() if kind is Opcode.TEXT else parts)
        if protocol.close_sent is not None:
            return heard, _codes(protocol, part)
    return heard, set()


def _codes(protocol: ServerProtocol, last: bytes) -> set[int]:
    """What may be said of this frame, at which the other library closed: of two rules that it breaks either one."""
    assert protocol.close_sent is not None
    codes = {int(protocol.close_sent.code)}
    if last[0] & 15 == CLOSE and codes & {PROTOCOL_ERROR, NO_UTF8}:
        codes = {PROTOCOL_ERROR, NO_UTF8}
    if PROTOCOL_ERROR in codes and len(last) > MOST_MESSAGE:
        codes.add(TOO_BIG)
    if protocol.close_rcvd is not None:
        codes.add(int(protocol.close_rcvd.code))  # within a message, where that library takes none and RFC 6455 does
    return codes


@pytest.fixture(scope="module")
def real() -> Iterator[Site]:
    site = Site(uvloop.new_event_loop)
    yield site
    site.close()


async def converse(site: Site, chunks: list[bytes]) -> tuple[list[str | bytes], bytes]:
    """What the handler was told of messages, and the last close frame."""
    async with asyncio.timeout(SECONDS):
        told, replies = await site.converse("/plain/Lean", chunks)
    assert ("exception",) not in told
    return [event[1] for event in told if event[0] == "message"], replies.read


@given(spoken, st.lists(st.integers(0, 1 << 20), max_size=6))
@example([frame(b"7" * MOST_MESSAGE, final=False), frame(b"7", opcode=PING), frame(b"\x03\xe8", opcode=CLOSE)], [])
@example([frame(b"7"), frame(b"7", opcode=PING, form=64), frame(b"7")], [])
def test_frames_are_heard_as_another_library_hears_them(real: Site, sent: list[bytes], cuts: list[int]) -> None:
    heard, codes = expected(sent)
    told, read = real.run(converse(real, split(b"".join(sent), cuts)))
    assert told == heard
    if codes:
        *_, (opcode, payload) = written(read)
        assert opcode == CLOSE
        assert (int.from_bytes(payload[:2]) if payload else NO_CODE) in codes


def written(read: bytes) -> list[tuple[int, bytes]]:
    """The frames that a server sent."""
    found, at = [], 0
    while at < len(read):
        size = read[at + 1]
        begin = at + {126: 4, 127: 10}.get(size, 2)
        size = int.from_bytes(read[at + 2 : begin]) if size > 125 else size
        found.append((read[at] & 15, read[begin : begin + size]))
        at = begin + size
    return found
