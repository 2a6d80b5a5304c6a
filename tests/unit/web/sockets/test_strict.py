"""Frames that break a rule of RFC 6455, in each of its kinds: the close frame that names the rule comes after what is due."""

import asyncio
from collections.abc import Sequence

import pytest

from services.web.sockets import frames
from tests.unit.web.sockets.rfc6455 import BINARY, CLOSE, PING, PONG, TEXT, frame
from tests.unit.web.sockets.test_lean import SECONDS, Site, quiet, received, site  # noqa: F401 - fixtures

PROTOCOL_ERROR, NO_UTF8, TOO_BIG = 1002, 1007, 1009
HELLO = frames.text(b"hello")
BEGUN = frame(b"9", final=False)


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(code.to_bytes(2) + reason, opcode=CLOSE)


BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535]
GOOD_CODES = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]

VIOLATIONS = {
    **{f"close code {code}": (closing(code), PROTOCOL_ERROR) for code in BAD_CODES},
    "close of one byte": (frame(b"\x03", opcode=CLOSE), PROTOCOL_ERROR),
    "close reason that is no UTF-8": (closing(1000, b"\xce\xba\xe1"), NO_UTF8),
    "close above 125 bytes": (closing(1000, b"x" * 124), PROTOCOL_ERROR),
    "close in parts": (frame(b"\x03\xe8", opcode=CLOSE, final=False), PROTOCOL_ERROR),
    "ping above 125 bytes": (frame(bytes(126), opcode=PING), PROTOCOL_ERROR),
    "ping above 64 KiB": (frame(bytes(65536), opcode=PING)[:20], PROTOCOL_ERROR),
    "ping in parts": (frame(b"!", opcode=PING, final=False), PROTOCOL_ERROR),
    "pong in parts": (frame(b"!", opcode=PONG, final=False), PROTOCOL_ERROR),
    **{f"reserved bits {bits:x}": (frame(b"91", reserved=bits), PROTOCOL_ERROR) for bits in range(0x10, 0x80, 0x10)},
    "reserved bit of a ping": (frame(b"", opcode=PING, reserved=0x10), PROTOCOL_ERROR),
    **{f"opcode {code}": (frame(b"91", opcode=code), PROTOCOL_ERROR) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "text without a mask": (frame(b"91", mask=None), PROTOCOL_ERROR),
    "ping without a mask": (frame(b"91", opcode=PING, mask=None), PROTOCOL_ERROR),
    "nothing to continue": (frame(b"1", opcode=0), PROTOCOL_ERROR),
    "nothing to continue, and more to come": (frame(b"1", opcode=0, final=False), PROTOCOL_ERROR),
    "message within another": (BEGUN + frame(b"!", opcode=PING) + frame(b"1"), PROTOCOL_ERROR),
    "part of a message within another": (BEGUN + frame(b"1", final=False), PROTOCOL_ERROR),
    "binary message within another": (BEGUN + frame(b"1", opcode=BINARY), PROTOCOL_ERROR),
    "text that is no UTF-8": (frame(b"\xed\xa0\x80"), NO_UTF8),
    "text that ends within a character": (frame("é".encode()[:1]), NO_UTF8),
    "large text that is no UTF-8": (frame(b"7" * 66_000 + b"\xff"), NO_UTF8),
    "parts that are no UTF-8": (frame(b"\xce", final=False) + frame(b"7", opcode=0, final=False), NO_UTF8),
    "parts that end within a character": (frame(b"7", final=False) + frame(b"\xce", opcode=0), NO_UTF8),
    "part with its first bad byte, no more of it": (frame(b"7", final=False) + frame(b"\xf4\x90zzz", opcode=0)[:8], NO_UTF8),
    "frame with its first bad byte, no more of it": (frame("κ".encode() + b"\xf4\x90zzz")[:10], NO_UTF8),
    "message above the limit": (frame(b"7" * 70_001)[:14], TOO_BIG),
    "length with the highest bit": (b"\x81\xff" + b"\xff" * 12, TOO_BIG),
    "parts above the limit": (frame(b"7" * 40_000, final=False) + frame(b"7" * 30_001, opcode=0)[:8], TOO_BIG),
}


def converse(site: Site, *sent: bytes, path: str = "/plain/Lean", headers: Sequence[str] = ()) -> bytes:  # noqa: F811 - the fixture
    """Send these and wait for the server's end, with no end of ours: all that came after the greeting."""

    async def read() -> bytes:
        async with asyncio.timeout(SECONDS), site.client(path, *headers) as (client, handler):
            for part in sent:
                await asyncio.get_running_loop().sock_sendall(client, part)
            replies = await received(client)
            client.close()
            await handler.closed.wait()
        assert not replies.reset
        return replies.read.removeprefix(HELLO)

    return site.run(read())


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_ends_with_its_code_after_the_replies_that_are_due(site: Site, name: str) -> None:  # noqa: F811
    bad, code = VIOLATIONS[name]
    read = converse(site, frame(b"97") + bad)
    due, close, end = read.partition(b"\x88")
    assert due in (frames.text(b"97"), frames.text(b"97") + b"\x8a\x01!")
    assert close and end[0] == len(end) - 1
    assert int.from_bytes(end[1:3]) == code
    assert end[3:].decode()  # a sentence


def test_what_follows_a_violation_does_not_destroy_the_close_frame(site: Site) -> None:  # noqa: F811
    read = converse(site, frame(b"1", opcode=0), frame(b"7" * 60_000) * 20)
    assert read[:4] == b"\x88" + bytes([len(read) - 2]) + PROTOCOL_ERROR.to_bytes(2)


@pytest.mark.parametrize("code", GOOD_CODES)
def test_a_code_that_may_be_sent_comes_back(site: Site, code: int) -> None:  # noqa: F811
    assert converse(site, closing(code, "é".encode())) == b"\x88\x02" + code.to_bytes(2)


def test_a_close_without_a_code_is_answered_without_one(site: Site) -> None:  # noqa: F811
    assert converse(site, frame(opcode=CLOSE)) == b"\x88\x00"


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("width", [1, 1_000, 1 << 20])
def test_a_message_of_any_length_in_any_parts_comes_whole(site: Site, size: int, width: int) -> None:  # noqa: F811
    text = ("é7" * size).encode()[: size - size % 3]
    if width == 1:
        text = text[:300]
    cut = [text[at : at + width] for at in range(0, len(text), width)] or [b""]
    parts = [frame(part, opcode=0 if at else TEXT, final=at == len(cut) - 1) for at, part in enumerate(cut)]
    assert converse(site, *parts, closing(1000)) == frames.text(text) + b"\x88\x02\x03\xe8"
