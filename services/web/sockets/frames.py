"""Frames of RFC 6455, without I/O: the one kind that nearly every client sends, and the one that we send."""

import struct
from collections.abc import Callable
from typing import Any

from tornado import util

_FINAL_TEXT = 0x81  # first byte of a whole text frame: final, no reserved bit
_MASKED = 0x80  # bit of the second byte, which holds the length too
_LENGTH_16 = 126  # a length that says: two bytes with the length follow
_LENGTH_64 = 127

# In C: 0.3 µs for 20 bytes, where int.from_bytes and ^ take 1.6. The name is private; without it nothing can be read here.
mask: Callable[[bytes, bytes], bytes] | Any = getattr(util, "_websocket_mask", None)

HEADER = 6  # bytes of the shortest header with its mask
LARGEST = HEADER + 2 + 0xFFFF  # bytes of the largest frame that is read here
ANOTHER = 0  # in the place of a size: the frame is of another kind


def read_text(read: bytes, at: int, most: int) -> tuple[bytes | None, int]:
    """The payload of the whole, masked text frame that begins at `at`, and where it ends; of `most` bytes, and less than 64 KiB.

    Without a payload comes how many bytes must be there, from `at` on, before more can be said; or ANOTHER.
    """
    begin = at + HEADER
    if len(read) >= begin and read[at] == _FINAL_TEXT and _MASKED <= (second := read[at + 1]) < _MASKED | _LENGTH_16:
        end = begin + second - _MASKED  # a short one, as nearly all are
        if end <= len(read) and second - _MASKED <= most:
            return mask(read[begin - 4 : begin], read[begin:end]), end
    return _read_text(read, at, most)


def _read_text(read: bytes, at: int, most: int) -> tuple[bytes | None, int]:
    """Likewise, of any length."""
    there = len(read) - at
    if there < 2:
        return None, ANOTHER if there and read[at] != _FINAL_TEXT else 2
    second = read[at + 1]
    if read[at] != _FINAL_TEXT or second < _MASKED or second == _MASKED | _LENGTH_64:
        return None, ANOTHER
    begin, size = at + HEADER, second - _MASKED
    if size == _LENGTH_16:
        if there < 4:
            return None, 4
        begin, size = begin + 2, read[at + 2] << 8 | read[at + 3]
    if size > most:
        return None, ANOTHER
    end = begin + size
    if end > len(read):
        return None, end - at
    return mask(read[begin - 4 : begin], read[begin:end]), end


_HEADERS = [bytes((_FINAL_TEXT, size)) for size in range(_LENGTH_16)]


def text(payload: bytes) -> bytes:
    """A whole, unmasked text frame."""
    size = len(payload)
    if size < _LENGTH_16:
        return _HEADERS[size] + payload
    if size < 1 << 16:
        return struct.pack("!BBH", _FINAL_TEXT, _LENGTH_16, size) + payload
    return struct.pack("!BBQ", _FINAL_TEXT, _LENGTH_64, size) + payload
