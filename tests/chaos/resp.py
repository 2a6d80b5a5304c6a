"""Redis' protocol as far as telling its messages apart takes. No I/O."""

from collections.abc import Iterator

LINES = b"+-:,#_("  # one line, the value in it
BULKS = b"$!="  # a length, then so many bytes
AGGREGATES = b"*~>%|"  # a count, then so many values; of maps and attributes pairs


class Incomplete(Exception):
    """The value goes on in what has not come yet."""


def end_of_value(data: bytes, at: int) -> int:
    """Where the value that begins at `at` ends; raises Incomplete."""
    line = data.find(b"\r\n", at)
    if line < 0:
        raise Incomplete
    kind, head, after = data[at], data[at + 1 : line], line + 2
    if kind in LINES:
        return after
    length = int(head)
    if kind in BULKS:
        end = after + max(0, length + 2) if length >= 0 else after
        if end > len(data):
            raise Incomplete
        return end
    assert kind in AGGREGATES, f"expected a type of Redis' protocol, got {data[at : at + 20]!r}"
    for _ in range(length * (2 if kind in b"%|" else 1)):
        after = end_of_value(data, after)
    return end_of_value(data, after) if kind in b"|" else after  # an attribute precedes what it is about


class Splitter:
    """Cuts a stream of bytes into values."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The values that are complete now, as they came."""
        data, at = self._rest + data, 0
        try:
            while at < len(data):
                end = end_of_value(data, at)
                yield data[at:end]
                at = end
        except Incomplete:
            pass
        self._rest = data[at:]


def is_message(value: bytes) -> bool:
    """Whether this is what a subscriber hears of a publication."""
    return value[:1] in (b">", b"*") and value.partition(b"\r\n")[2].startswith(b"$7\r\nmessage\r\n")
