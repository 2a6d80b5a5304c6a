"""Compressed messages are read within bounds, and offers are answered as RFC 7692 has it."""

import contextlib
import random
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.sockets import frames
from services.web.sockets.deflate import FREE, MOST_ENDS, PIECE, RATIO, Broken, Inflation, TooDense, agree
from tests.unit.web.sockets.rfc6455 import BINARY, CLOSE, PING, TEXT, frame
from tests.unit.web.sockets.test_lean import MOST_MESSAGE, Site, quiet, site  # noqa: F401 - fixtures
from tests.unit.web.sockets.test_strict import closing, converse

AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
COMPRESSED = 0x40
PATH = "/compressed/Lean"


def deflated(text: bytes, end: int = zlib.Z_SYNC_FLUSH, window: int = 15, level: int = 6) -> bytes:
    """As a client sends it."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -window)
    data = stream.compress(text) + stream.flush(end)
    return data if end == zlib.Z_FINISH else data.removesuffix(b"\0\0\xff\xff")


def inflated(data: bytes, size: int = 1 << 20, most: int = 1 << 21) -> bytes:
    inflation, text = Inflation(most), b""
    for at in range(0, len(data), size):
        text += b"".join(inflation.feed(data[at : at + size]))
    return text + b"".join(inflation.end())


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        ("permessage-deflate", AGREED),
        ("permessage-deflate; client_max_window_bits", AGREED),
        ("permessage-deflate; client_max_window_bits=9;client_no_context_takeover", AGREED),
        ('permessage-deflate; server_max_window_bits="10"', f"{AGREED}; server_max_window_bits=10"),
        ("x-deflate, permessage-deflate; x, permessage-deflate", AGREED),
        ("permessage-deflate; server_max_window_bits=7", ""),
        ("permessage-deflate; server_max_window_bits", ""),
        ("permessage-deflate; client_max_window_bits=16", ""),
        ("permessage-deflate; server_no_context_takeover=1", ""),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", ""),
        ("permessage-deflate; nonsense", ""),
        ("x-webkit-deflate-frame", ""),
        (";;;, =", ""),
        ("", ""),
    ],
)
def test_an_offer_is_taken_whole_or_not(offers: str, answer: str) -> None:
    assert agree(offers) == answer


@given(st.binary(max_size=5_000), st.sampled_from([1, 7, 1 << 20]), st.integers(9, 15), st.integers(0, 9))
def test_what_is_compressed_comes_whole_in_any_pieces(text: bytes, size: int, window: int, level: int) -> None:
    assert inflated(deflated(text, window=window, level=level), size) == text
    assert inflated(deflated(text, zlib.Z_FINISH, window, level) + b"\0", size) == text


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 4 * PIECE, 20 * PIECE])
def test_nothing_is_held_back_at_the_end_of_a_piece(size: int) -> None:
    text = random.Random(size).randbytes(size // 8).hex().encode() * 4
    assert inflated(deflated(text)) == text


def test_a_bomb_is_refused_before_it_is_large() -> None:
    sizes: list[int] = []
    with pytest.raises(TooDense, match=rf"^message of more than {RATIO} times its size$"):
        sizes.extend(map(len, Inflation(1 << 21).feed(deflated(bytes(1 << 21)))))
    assert max(sizes) <= PIECE and sum(sizes) <= max(FREE, RATIO * 2_100)
    with pytest.raises(TooDense, match=r"^message too big$"):
        inflated(deflated(random.Random(1).randbytes(2_000)), most=1_999)
    with pytest.raises(TooDense, match=r"^message too big$"):  # nothing comes of it, however long it is
        inflated(b"\0\0\0\xff\xff" * 20_000, most=1_000)


def test_so_many_last_blocks_are_taken_and_no_more() -> None:
    block = deflated(b"7", zlib.Z_FINISH)
    assert inflated(block * MOST_ENDS) == b"7" * MOST_ENDS
    with pytest.raises(TooDense, match=r"^message with more than 1,000 last blocks$"):
        inflated(deflated(b"", zlib.Z_FINISH) * (MOST_ENDS + 2))


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(Broken, TooDense):
        assert len(inflated(data)) <= max(FREE, RATIO * (len(data) + 4))


def said(site: Site, *sent: bytes) -> bytes:  # noqa: F811 - the fixture
    """What comes back to a client that offered to compress."""
    return converse(site, *sent, path=PATH, headers=["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"])


TEXTS: dict[str, Any] = {"short": "97", "empty": "", "not ASCII": "née €" * 50, "long": " ".join(map(str, range(10_000)))}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("width", [3, 1_000, 1 << 20])
def test_a_compressed_message_in_any_parts_is_heard(site: Site, name: str, width: int) -> None:  # noqa: F811
    text = TEXTS[name].encode()
    data = deflated(text)
    cut = [data[at : at + width] for at in range(0, len(data), width)] or [b""]
    parts = [
        frame(part, opcode=0 if at else TEXT, final=at == len(cut) - 1, reserved=0 if at else COMPRESSED)
        for at, part in enumerate(cut)
    ]
    parts[1:1] = [frame(b"!", opcode=PING)]
    read = said(site, *parts, frame(b"plain"), closing(1000))
    assert read.replace(b"\x8a\x01!", b"", 1) == frames.text(text) + frames.text(b"plain") + b"\x88\x02\x03\xe8"


BEGUN = frame(deflated(b"97")[:1], reserved=COMPRESSED, final=False)
VIOLATIONS = {
    "another reserved bit": (frame(deflated(b"91"), reserved=0x60), 1002),
    "the bit on a part": (BEGUN + frame(b"x", opcode=0, reserved=COMPRESSED), 1002),
    "the bit on a ping": (frame(b"", opcode=PING, reserved=COMPRESSED), 1002),
    "the bit on a close": (frame(b"\x03\xe8", opcode=CLOSE, reserved=COMPRESSED), 1002),
    "what is not compressed": (frame(b"\xff\xff\xff", reserved=COMPRESSED), 1007),
    "binary that is not compressed": (frame(b"\xff\xff\xff", opcode=BINARY, reserved=COMPRESSED), 1007),
    "text that is no UTF-8": (frame(deflated(b"7\xff7"), reserved=COMPRESSED), 1007),
    "text that ends within a character": (frame(deflated("é".encode()[:1]), reserved=COMPRESSED), 1007),
    "a bomb": (frame(deflated(bytes(MOST_MESSAGE)), reserved=COMPRESSED), 1009),
    "a message above the limit": (frame(deflated(random.Random(2).randbytes(35_001).hex().encode()), reserved=COMPRESSED), 1009),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_ends_with_its_code(site: Site, name: str) -> None:  # noqa: F811
    bad, code = VIOLATIONS[name]
    due, close, end = said(site, frame(b"97") + bad).partition(b"\x88")
    assert due == frames.text(b"97")
    assert close and int.from_bytes(end[1:3]) == code
    assert end[3:].decode()


def test_who_does_not_offer_sends_nothing_compressed(site: Site) -> None:  # noqa: F811
    assert converse(site, frame(deflated(b"97"), reserved=COMPRESSED), path=PATH)[2:4] == (1002).to_bytes(2)
