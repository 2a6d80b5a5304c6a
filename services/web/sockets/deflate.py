"""permessage-deflate (RFC 7692), without I/O, one way: what clients compress is read within bounds; what we send is not compressed.

Replies are too short to gain by it, and nothing is kept of a message for the next one, so idle sockets take no memory.
"""

import zlib
from collections.abc import Iterator

_NAME = "permessage-deflate"
_AGREED = f"{_NAME}; server_no_context_takeover; client_no_context_takeover"
_WINDOWS = frozenset(map(str, range(8, 16)))  # bits
_TAIL = b"\0\0\xff\xff"  # the end of a block, which a sender leaves out

PIECE = 16_384  # most bytes at a time: a small input is never held as all that it grows to
RATIO = 100  # most bytes for each that came; batches of requests have 10 to 30
FREE = 65_536  # bytes for which no ratio counts
MOST_ENDS = 1_000  # last blocks in one message: a sender has one a part, of two bytes each, and what follows is copied behind each


class Broken(ValueError):
    """The bytes are not compressed as was agreed on."""


class TooDense(ValueError):
    """The message is longer than may be, or so many times longer than what came that it holds nothing worth the work."""


def agree(offers: str) -> str:
    """What is answered to the offers of a handshake (Sec-WebSocket-Extensions); empty where none can be taken."""
    return next(filter(None, map(_answer, offers.split(","))), "")


def _answer(offer: str) -> str:
    """The answer to one of them."""
    name, *parameters = (part.strip() for part in offer.split(";"))
    pairs = [(key.strip(), value.strip().strip('"') if equals else None) for key, equals, value in map(_parted, parameters)]
    given = dict(pairs)
    if name != _NAME or len(given) < len(pairs) or not all(_is_known(key, value) for key, value in pairs):
        return ""
    window = given.get("server_max_window_bits")
    return _AGREED if window is None else f"{_AGREED}; server_max_window_bits={window}"


def _parted(parameter: str) -> tuple[str, str, str]:
    return parameter.partition("=")


def _is_known(key: str, value: str | None) -> bool:
    if key in ("server_no_context_takeover", "client_no_context_takeover"):
        return value is None
    if key == "client_max_window_bits":
        return value is None or value in _WINDOWS
    return key == "server_max_window_bits" and value in _WINDOWS


class Inflation:
    """One message, as it comes."""

    def __init__(self, most: int) -> None:
        """`most`: bytes of it, inflated."""
        self._most = most
        self._came = self._gave = 0  # bytes
        self._ends = 0  # blocks that said that they are the last ones
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Bytes of the message, at most PIECE at a time. Raises Broken, TooDense."""
        self._came += len(data)
        if self._came > self._most + FREE:
            raise TooDense("message too big")
        more = bool(data)
        while more:
            if self._stream.eof:  # a block said that it is the last one; others may follow all the same (RFC 7692, 7.2.3.4)
                self._ends += 1
                if self._ends > MOST_ENDS:
                    raise TooDense(f"message with more than {MOST_ENDS:,} last blocks")
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                text = self._stream.decompress(data, PIECE)
            except zlib.error:
                raise Broken("message that is not compressed as was agreed on") from None
            self._gave += len(text)
            if self._gave > self._most:
                raise TooDense("message too big")
            if self._gave > max(FREE, RATIO * self._came):
                raise TooDense(f"message of more than {RATIO} times its size")
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            more = bool(data) or len(text) == PIECE  # of which a part may be held back
            yield text

    def end(self) -> Iterator[bytes]:
        """What was held back. Raises Broken, TooDense."""
        return self.feed(_TAIL)
