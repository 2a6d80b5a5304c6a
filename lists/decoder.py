"""Turns the bytes of a file into UTF-8: by its byte order mark it may be UTF-16. No I/O."""

import codecs

_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_MARK = codecs.BOM_UTF8


class Decoder:
    """Where the pieces end makes no difference. Bytes that are not what they should be are left to whoever reads the lines."""

    def __init__(self) -> None:
        self._head = b""  # as long as it may be the beginning of a mark
        self._begun = False
        self._utf_16: codecs.IncrementalDecoder | None = None

    def feed(self, piece: bytes) -> bytes:
        """The next bytes in UTF-8, without the mark."""
        if not self._begun:
            self._head += piece
            if len(self._head) < len(_MARK) and any(mark.startswith(self._head) for mark in (_MARK, *_UTF_16)):
                return b""
            piece, self._head = self._begin(self._head), b""
        return piece if self._utf_16 is None else self._utf_16.decode(piece).encode()

    def _begin(self, head: bytes) -> bytes:
        self._begun = True
        if (coding := _UTF_16.get(head[:2])) is not None:
            self._utf_16 = codecs.getincrementaldecoder(coding)(errors="replace")
            return head[2:]
        return head.removeprefix(_MARK)

    def end(self) -> bytes:
        """What is left when nothing more comes."""
        rest = b"" if self._begun else self._begin(self._head)
        return rest if self._utf_16 is None else self._utf_16.decode(rest, True).encode()
