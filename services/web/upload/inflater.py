"""Decompresses an upload piece by piece. No I/O."""

import zlib
from collections.abc import Iterator

PIECE = 65_536  # most bytes at a time: what a small input grows to is never held whole
GZIP = 31  # zlib's window bits for gzip alone, with the largest window


class BrokenGzip(ValueError):
    """The bytes are no gzip stream, or not a whole one."""


class Inflater:
    """One or more gzip members, one after the other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(GZIP)
        self._begun = False  # whether the member at hand has any byte

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Text of at most PIECE bytes at a time. Raises BrokenGzip."""
        while data:
            if self._member.eof:
                self._member, self._begun = zlib.decompressobj(GZIP), False
            self._begun = True
            try:
                text = self._member.decompress(data, PIECE)
            except zlib.error as error:
                raise BrokenGzip(f"Expected gzip: {error}") from None
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            yield text

    def end(self) -> None:
        """Nothing more comes. Raises BrokenGzip."""
        if not self._member.eof:
            raise BrokenGzip("Expected gzip: it ended too early" if self._begun else "Expected gzip, got nothing")
