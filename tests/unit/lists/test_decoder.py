"""Bytes become UTF-8 by the mark at their head, wherever their pieces end."""

import pytest

from lists.decoder import Decoder


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xef\xbb\xbf7", b"7"),
        (b"\xff\xfe7\0\n\0", b"7\n"),
        (b"\xfe\xff\0" + b"7", b"7"),
        (b"\xff", b"\xff"),
        (b"\xff7", b"\xff7"),
        (b"\xef\xbb7", b"\xef\xbb7"),
        (b"\xff\xfe7", "\ufffd".encode()),
        (b"", b""),
        (b"7", b"7"),
        ("7\ufeff".encode(), "7\ufeff".encode()),
    ],
)
def test_a_mark_is_taken_and_nothing_else(raw: bytes, text: bytes, size: int) -> None:
    decoder = Decoder()
    assert b"".join(decoder.feed(raw[at : at + size]) for at in range(0, len(raw), size)) + decoder.end() == text
