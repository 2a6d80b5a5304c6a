"""Frames of RFC 6455: what is read and written, against a WebSocket library that is not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from services.web.sockets import frames
from tests.unit.web.sockets.rfc6455 import frame

SIZES = st.sampled_from([0, 1, 7, 124, 125, 126, 127, 128, 65534, 65535])
MOST = 1 << 21


@given(SIZES, st.binary(min_size=4, max_size=4), st.binary(max_size=9), st.binary(max_size=9))
def test_reads_a_whole_text_frame_wherever_it_stands(size: int, mask: bytes, before: bytes, after: bytes) -> None:
    payload = bytes(i % 251 for i in range(size))
    read = before + frame(payload, mask=mask) + after
    assert frames.read_text(read, len(before), MOST) == (payload, len(read) - len(after))


@given(SIZES, st.data())
def test_a_part_of_a_text_frame_says_how_much_is_missing_at_least(size: int, data: st.DataObject) -> None:
    whole = frame(bytes(size))
    there = data.draw(st.one_of(st.integers(0, min(len(whole) - 1, 12)), st.integers(0, len(whole) - 1)))
    payload, wanted = frames.read_text(whole[:there], 0, MOST)
    assert payload is None
    assert there < wanted <= len(whole)


@pytest.mark.parametrize(
    "other",
    [
        frame(b"97", opcode=Opcode.BINARY),
        frame(b"97", opcode=Opcode.PING),
        frame(b"97", opcode=Opcode.PONG),
        frame(b"\x03\xe8", opcode=Opcode.CLOSE),
        frame(b"97", opcode=Opcode.CONT),
        frame(b"97", opcode=3),
        frame(b"97", final=False),
        frame(b"97", reserved=0x40),
        frame(b"97", reserved=0x10),
        frame(b"97", mask=None),
        frame(b"97", form=64),
        frame(bytes(65536)),
        frame(bytes(65536))[:2],
        b"\x88",
    ],
)
def test_every_other_frame_is_another(other: bytes) -> None:
    assert frames.read_text(other, 0, MOST) == (None, frames.ANOTHER)


@pytest.mark.parametrize(("size", "most"), [(11, 10), (126, 125), (65535, 65534)])
def test_a_text_frame_that_is_too_large_is_another_before_it_is_there(size: int, most: int) -> None:
    assert frames.read_text(frame(bytes(size))[:4], 0, most) == (None, frames.ANOTHER)
    assert frames.read_text(frame(bytes(most)), 0, most)[0] == bytes(most)


def test_the_largest_frame_is_as_large_as_is_said() -> None:
    assert frames.read_text(frame(bytes(65535)), 0, MOST) == (bytes(65535), frames.LARGEST)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_writes_what_others_read(size: int) -> None:
    reader = StreamReader()
    reader.feed_data(frames.text(b"x" * size))
    reader.feed_eof()
    parsing = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as end:
        next(parsing)
    assert end.value.value == Frame(Opcode.TEXT, b"x" * size)
