"""Frames as RFC 6455 has them: who breaks its rules is told which, by a close frame."""

import asyncio
import codecs
import struct
from collections.abc import Iterator
from typing import Any, cast

from tornado.websocket import WebSocketProtocol13

from services.web.sockets import frames
from services.web.sockets.deflate import Broken, Inflation, TooDense
from services.web.sockets.transport import Transport

_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10  # opcodes
_OPCODES = frozenset((_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG))
_FINAL, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F  # bits of the first byte
_COMPRESSED = 0x40  # the reserved bit of a compressed message's first frame
_MASKED, _LENGTH = 0x80, 0x7F  # of the second
_LONGER = {126: "!H", 127: "!Q"}  # lengths that say in which form the length follows
_MOST_CONTROL = 125  # bytes of a close frame, a ping or a pong

PIECE = 64 * 1024  # bytes of a payload that are looked at in one go: as much as one read brings

TURN = 8  # pieces of a message that are inflated before others get their turn: a millisecond of digits

PROTOCOL_ERROR, NO_UTF8, TOO_BIG = 1002, 1007, 1009  # close codes
CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))  # that a close frame may hold

_utf8 = codecs.getincrementaldecoder("utf-8")


class Violation(Exception):
    """The client broke a rule: with which code the socket ends, and which rule."""

    def __init__(self, code: int, rule: str) -> None:
        super().__init__(rule)
        self.code, self.rule = code, rule


class StrictProtocol(WebSocketProtocol13):
    """Reads a frame piece by piece, so that what is wrong is found at its first bad byte.

    Tornado's own code takes unmasked frames and any close code, and ends everything else that is wrong without a close frame.
    """

    inflates = False  # whether permessage-deflate was agreed on, by deflate.py
    stream: Any  # a Transport, or the IOStream that Tornado gives
    _parts: bytearray | None = None  # of a message that is not whole yet
    _kind = _TEXT  # its opcode
    _utf8: codecs.IncrementalDecoder | None = None  # which reads it, if it is text
    _inflation: Inflation | None = None  # of it, if it is compressed

    async def _receive_frame(self) -> None:
        if self._decompressor is not None:  # what is compressed is Tornado's
            await super()._receive_frame()
            return
        try:
            opcode, payload = await self._read_frame()
        except Violation as violation:
            await self._fail(violation)
            return
        if opcode is not None and (handled := self._handle_message(opcode, payload)) is not None:
            await handled

    async def _read_frame(self) -> tuple[int | None, bytes]:
        """What to handle: a control frame, or a message that is whole; no opcode while parts are to come. Raises Violation."""
        first, second = await self._read_bytes(2)
        final, opcode = bool(first & _FINAL), first & _OPCODE
        self._check_head(first, second)
        size = second & _LENGTH
        if (form := _LONGER.get(size)) is not None:
            size = struct.unpack(form, await self._read_bytes(struct.calcsize(form)))[0]
        if opcode >= _CLOSE:
            return opcode, bytes(await self._read_payload(size, bytearray(), None))
        message = self._parts if self._parts is not None else bytearray()
        most = self.params.max_message_size
        if opcode != _CONTINUED:
            self._kind, self._utf8 = opcode, _utf8() if opcode == _TEXT else None
            self._inflation = Inflation(most) if first & _COMPRESSED else None
        if size + (0 if self._inflation else len(message)) > most:
            raise Violation(TOO_BIG, "message too big")
        await self._read_payload(size, message, self._utf8, self._inflation)
        if final and self._inflation is not None:
            await self._append(self._inflation.end(), message, self._utf8)
            self._inflation = None
        self._parts = None if final else message
        return (self._kind, bytes(message)) if final else (None, b"")

    def _check_head(self, first: int, second: int) -> None:
        """What two bytes can tell. Raises Violation."""
        opcode = first & _OPCODE
        if first & _RESERVED & ~(_COMPRESSED if self.inflates and opcode in (_TEXT, _BINARY) else 0):
            raise Violation(PROTOCOL_ERROR, f"reserved bit set, {'not as' if self.inflates else 'no extension'} was agreed on")
        if opcode not in _OPCODES:
            raise Violation(PROTOCOL_ERROR, f"reserved opcode {opcode}")
        if not second & _MASKED:
            raise Violation(PROTOCOL_ERROR, "frame without a mask")
        if opcode >= _CLOSE:
            if not first & _FINAL:
                raise Violation(PROTOCOL_ERROR, "control frame in parts")
            if second & _LENGTH > _MOST_CONTROL:
                raise Violation(PROTOCOL_ERROR, f"control frame above {_MOST_CONTROL} bytes")
        elif (opcode == _CONTINUED) != (self._parts is not None):
            raise Violation(PROTOCOL_ERROR, "nothing to continue" if opcode == _CONTINUED else "message within another")

    async def _read_payload(
        self, size: int, into: bytearray, utf8: codecs.IncrementalDecoder | None, inflation: Inflation | None = None
    ) -> bytearray:
        """Append what comes, unmasked and inflated, and look at it at once. Raises Violation."""
        mask, at = await self._read_bytes(4), 0
        while at < size:
            piece = await self.stream.read_bytes(min(size - at, PIECE), partial=True)
            cast("Any", self.handler).on_piece()
            self._count(len(piece))
            turn = at % 4
            plain = frames.mask(mask[turn:] + mask[:turn], piece)
            at += len(piece)
            if inflation is not None:
                await self._append(inflation.feed(plain), into, utf8)
                continue
            if utf8 is not None:
                _check_text(utf8, plain)
            into += plain
        return into

    def _count(self, size: int) -> None:
        """So many bytes came of a frame that is read in parts, or were inflated."""

    async def _append(self, pieces: Iterator[bytes], into: bytearray, utf8: codecs.IncrementalDecoder | None) -> None:
        """Likewise, what is inflated. Raises Violation."""
        try:
            for number, piece in enumerate(pieces, 1):
                self._count(len(piece))
                if utf8 is not None:
                    _check_text(utf8, piece)
                into += piece
                if number % TURN == 0:
                    await asyncio.sleep(0)
        except TooDense as error:
            raise Violation(TOO_BIG, str(error)) from None
        except Broken as error:
            raise Violation(NO_UTF8, str(error)) from None

    def _handle_message(self, opcode: int, data: bytes) -> "asyncio.Future[None] | None":
        if self._decompressor is not None:
            return super()._handle_message(opcode, data)
        try:
            if opcode == _TEXT and not data.isascii():
                _check_text(_utf8(), data, final=True)
            elif opcode == _CLOSE:
                _check_close(data)
        except Violation as violation:
            return asyncio.ensure_future(self._fail(violation))
        return super()._handle_message(opcode, data)

    async def _fail(self, violation: Violation) -> None:
        """End: what is due is sent first, then the close frame. Raises StreamClosedError when the client has ended too."""
        handler = cast("Any", self.handler)
        await handler.on_violation()
        handler.close(violation.code, violation.rule)
        if isinstance(self.stream, Transport):
            await self.stream.drop()  # not for ever: Tornado ends a connection five seconds after our close frame
        self._abort()


def _check_text(utf8: codecs.IncrementalDecoder, text: bytes, final: bool = False) -> None:
    try:
        utf8.decode(text, final)
    except UnicodeDecodeError as error:
        raise Violation(NO_UTF8, "text that is not UTF-8") from error


def _check_close(payload: bytes) -> None:
    """What a close frame says. Raises Violation."""
    if len(payload) == 1:
        raise Violation(PROTOCOL_ERROR, "close frame with half a code")
    if payload:
        code = int.from_bytes(payload[:2])
        if code not in CLOSE_CODES:
            raise Violation(PROTOCOL_ERROR, f"close code {code}")
        _check_text(_utf8(), payload[2:], final=True)
