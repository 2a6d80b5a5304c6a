"""Gzip is decompressed in bounded pieces, and what is no gzip is refused."""

import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.upload.inflater import FREE, PIECE, BrokenGzip, Inflater, TooDense


def inflate(*pieces: bytes) -> bytes:
    inflater = Inflater()
    text = b"".join(part for piece in pieces for part in inflater.feed(piece))
    inflater.end()
    return text


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50))
def test_members_in_any_pieces_give_their_text(texts: list[bytes], size: int) -> None:
    data = b"".join(map(gzip.compress, texts))
    assert inflate(*(data[n : n + size] for n in range(0, len(data), size))) == b"".join(texts)


def test_what_comes_out_is_in_small_pieces() -> None:
    dense = gzip.compress(bytes(FREE))
    assert len(dense) < 10_000
    sizes = [len(piece) for piece in Inflater().feed(dense)]
    assert max(sizes) <= PIECE and sum(sizes) == FREE


def test_a_bomb_is_refused_before_it_has_cost_much() -> None:
    given: list[int] = []
    with pytest.raises(TooDense, match=r"^Expected gzip of at most 250 times its size above 4,194,304 bytes$"):
        given.extend(map(len, Inflater().feed(gzip.compress(bytes(50 << 20)))))
    assert sum(given) <= 250 * 60_000


def test_a_list_of_numbers_is_no_bomb() -> None:
    text = b"\n".join(b"%d" % n for n in range(10**9, 10**9 + 1_000_000))
    assert inflate(gzip.compress(text)) == text


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_zeros_behind_a_member_are_nothing(size: int) -> None:
    data = gzip.compress(b"97\n") + bytes(512) + gzip.compress(b"7\n") + bytes(10_240)
    assert inflate(*(data[at : at + size] for at in range(0, len(data), size))) == b"97\n7\n"


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
