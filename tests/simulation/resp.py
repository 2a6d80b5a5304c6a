"""Redis' protocol as far as the simulated server needs it: where replies end, and a few replies of its own. No I/O."""

from collections.abc import Callable

import hiredis

Command = tuple[bytes, ...]

pack: Callable[[tuple[bytes | str | int, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]

OK = b"+OK\r\n"
NOTHING = frozenset({b"*-1\r\n", b"_\r\n", b"$-1\r\n"})  # replies that say that there is nothing

_LINES = frozenset(b"+-:,#_(")  # types that end with their line
_BULKS = frozenset(b"$=!")
_PAIRS = frozenset(b"%|")


def end_of_reply(data: bytes | bytearray, start: int) -> int:
    """Where the reply ends that begins there; -1 if it is not all there."""
    line = data.find(b"\r\n", start)
    if line < 0:
        return -1
    kind, after = data[start], line + 2
    if kind in _LINES:
        return after
    count = int(data[start + 1 : line])
    if count < 0:
        return after
    if kind in _BULKS:
        end = after + count + 2
        return end if end <= len(data) else -1
    for _ in range(2 * count if kind in _PAIRS else count):
        after = end_of_reply(data, after)
        if after < 0:
            return -1
    return after


def message(kind: bytes, channel: bytes, payload: bytes | int) -> bytes:
    """What a subscriber is told."""
    last = b":%d\r\n" % payload if isinstance(payload, int) else b"$%d\r\n%b\r\n" % (len(payload), payload)
    return b"*3\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (len(kind), kind, len(channel), channel, last)
