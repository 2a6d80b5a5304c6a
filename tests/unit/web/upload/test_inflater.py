"""Gzip is decompressed in bounded pieces, and what is no gzip is refused."""

import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.upload.inflater import PIECE, BrokenGzip, Inflater


def inflate(*pieces: bytes) -> bytes:
    inflater = Inflater()
    text = b"".join(part for piece in pieces for part in inflater.feed(piece))
    inflater.end()
    return text


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50))
def test_members_in_any_pieces_give_their_text(texts: list[bytes], size: int) -> None:
    data = b"".join(map(gzip.compress, texts))
    assert inflate(*(data[n : n + size] for n in range(0, len(data), size))) == b"".join(texts)


def test_a_bomb_comes_out_in_small_pieces() -> None:
    bomb = gzip.compress(bytes(20 << 20))
    assert len(bomb) < 40_000
    sizes = [len(piece) for piece in Inflater().feed(bomb)]
    assert max(sizes) <= PIECE and sum(sizes) == 20 << 20


WHOLE = gzip.compress(random.Random(1).randbytes(500))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Expected gzip, got nothing"),
        (b"97\n", "Expected gzip: "),
        (WHOLE[:-1], "Expected gzip: it ended too early"),
        (WHOLE[:100], "Expected gzip: it ended too early"),
        (WHOLE[:-8] + bytes(8), "incorrect data check"),
        (WHOLE + b"more", "Expected gzip: "),
    ],
    ids=["nothing", "text", "cut short", "cut in half", "checksum", "more"],
)
def test_what_is_no_gzip_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(BrokenGzip, match=words):
        inflate(data)
