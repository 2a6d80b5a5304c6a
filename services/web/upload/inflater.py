"""Decompresses an upload piece by piece. No I/O."""

import zlib
from collections.abc import Iterator

PIECE = 4_096  # most bytes at a time: what a small input grows to is never held whole, and others have their turn in between
RATIO = 250  # most bytes for each that came, lists of numbers have 2 to 20; what has more is a few lines again and again
FREE = 4 << 20  # bytes for which no ratio counts
MAGIC = b"\x1f\x8b"  # how each member begins
GZIP = 31  # zlib's window bits for gzip alone, with the largest window


class BrokenGzip(ValueError):
    """The bytes are no gzip stream, or not a whole one."""


class TooDense(ValueError):
    """The text is so many times longer than what came that it holds nothing worth the work."""


class Inflater:
    """One or more gzip members, one after the other; zeros behind a member, up to the end of a block of a tape, are nothing."""

    def __init__(self) -> None:
        self._came = self._gave = 0  # bytes
        self._member = zlib.decompressobj(GZIP)
        self._begun = False  # whether the member at hand has any byte

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Text of at most PIECE bytes at a time, none where there is none yet. Raises BrokenGzip, TooDense."""
        self._came += len(data)
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._member, self._begun = zlib.decompressobj(GZIP), False
            self._begun = True
            try:
                text = self._member.decompress(data, PIECE)
            except zlib.error as error:
                raise BrokenGzip(f"Expected gzip: {error}") from None
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._gave += len(text)
            if self._gave > max(FREE, RATIO * self._came):
                raise TooDense(f"Expected gzip of at most {RATIO} times its size above {FREE:,} bytes")
            yield text

    def end(self) -> None:
        """Nothing more comes. Raises BrokenGzip."""
        if not self._member.eof:
            raise BrokenGzip("Expected gzip: it ended too early" if self._begun else "Expected gzip, got nothing")
