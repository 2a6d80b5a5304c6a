"""A WebSocket that handles whole text messages with a fraction of Tornado's effort, and all else frame by frame."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Sequence
from enum import Enum
from typing import Any, cast

import tornado
from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from services.web.shares import BYTE, CONTROL, FRAME, Share, Shares
from services.web.sockets import deflate, frames
from services.web.sockets.strict import StrictProtocol
from services.web.sockets.transport import Transport

log = logging.getLogger(__name__)

# What Tornado does not promise, and in which version it was found to be what it seems to be.
TESTED = 6, 6
METHODS = {
    WebSocketHandler: ("get_websocket_protocol", "_detach_stream"),
    WebSocketProtocol13: (
        "_receive_frame_loop",
        "_receive_frame",
        "_read_bytes",
        "_handle_message",
        "_run_callback",
        "_abort",
        "is_closing",
    ),
}
FIELDS = ("params", "mask_outgoing", "client_terminated", "_compressor", "_decompressor")

UNSHARED = Shares(1.0).get("")  # no bound

MOST_FRAMES = 64  # handled of one socket before others get their turn: a millisecond or so; a guess


class Step(Enum):
    """What comes next when no more text messages can be handled at once."""

    ANOTHER = "a frame of another kind, or a part of one"
    TURN = "the turn of the other sockets, or of the other clients"
    END = "nothing"


class LeanProtocol(StrictProtocol):
    """Whole text frames are handled as they come, all of a read in one go; every other frame is read piece by piece.

    It saves a coroutine, several Futures and two system calls a message, and rests on names that Tornado does not promise.
    """

    # Not in the dictionary that Tornado's attributes are in: with 30 it has keys of its own, and takes 1.3 KiB more a socket.
    __slots__ = ("_left", "_share", "_wanted")

    def __init__(self, handler: "LeanHandler", mask_outgoing: bool, params: Any) -> None:
        super().__init__(handler, mask_outgoing, params)
        self._left = MOST_FRAMES  # frames that may be handled in this turn
        self._wanted = 1  # bytes that must be unread before more can be handled
        self._share = UNSHARED  # of its client

    @property
    def compresses(self) -> bool:
        """Whether permessage-deflate was agreed on."""
        return self._compressor is not None

    async def _receive_frame_loop(self) -> None:
        stream = self.stream
        if not isinstance(stream, Transport):
            await super()._receive_frame_loop()
            return
        self._share = cast("LeanHandler", self.handler).share
        try:
            await stream.connect()
            while not self.client_terminated:
                step = self._handle_unread(stream.unread) or await stream.listen(self._hear)
                if step is Step.ANOTHER:
                    self._left -= 1
                    self._share.left -= CONTROL
                    await self._receive_frame()
                elif step is Step.TURN:
                    await self._wait_for_turn(stream)
                    self._left = MOST_FRAMES
                elif isinstance(step, asyncio.Future):
                    await step
        except StreamClosedError:
            self._abort()
        finally:
            self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    async def _wait_for_turn(self, stream: Transport) -> None:
        """Others go first. Raises StreamClosedError when the client has left meanwhile: what it left behind nobody waits for."""
        handler = cast("LeanHandler", self.handler)
        handler.held = True
        try:
            if await self._share.turn():
                handler.on_piece()
                if stream.deserted:
                    raise StreamClosedError
        finally:
            handler.held = False

    def shorten(self, cost: float) -> None:
        """A message took so many µs more than others: so many fewer are handled before others get their turn."""
        self._left -= int(cost / FRAME)

    def _count(self, size: int) -> None:
        """Of its client's share."""
        self._share.left -= size * BYTE

    def _hear(self, read: bytes) -> "Step | asyncio.Future[None] | None":
        """Handle what came in this turn; returns how to go on, or None if more must come first."""
        self._left = MOST_FRAMES
        share = self._share
        if share.shares.last is not share:
            share.shares.change(share)
        unread: bytearray = self.stream.unread
        if unread or share.left <= 0:
            unread += read
            return self._handle_unread(unread)
        used, step = self._handle(read)
        if used < len(read):
            unread += read[used:]
        return step

    def _handle_unread(self, unread: bytearray) -> "Step | asyncio.Future[None] | None":
        if self._left <= 0 or (unread and self._share.left <= 0):
            return Step.TURN
        if self._parts is not None:  # what comes next is a part of it
            return Step.ANOTHER
        step = None
        while step is None and len(unread) >= self._wanted:
            used, step = self._handle(bytes(unread[: frames.LARGEST]))
            del unread[:used]
        return step

    def _handle(self, read: bytes) -> "tuple[int, Step | asyncio.Future[None] | None]":
        """Handle the text frames at the beginning; returns how many bytes they take."""
        at, self._wanted, handled = 0, 1, 0
        most = self.params.max_message_size
        hear = cast("LeanHandler", self.handler).on_ascii
        try:
            while at < len(read):
                if self._left <= 0:
                    return at, Step.TURN
                payload, end = frames.read_text(read, at, most)
                if payload is None:
                    if end == frames.ANOTHER or end >= frames.HEADER:  # a part is read as it comes: it may be wrong, or slow
                        return at, Step.ANOTHER
                    self._wanted = end
                    break
                at = end
                handled += 1
                self._left -= 1
                # ASCII is surely UTF-8, so all that is left of Tornado's `_handle_message` is the callback
                wait = self._run_callback(hear, payload) if payload.isascii() else self._handle_message(0x1, payload)
                if self.client_terminated:
                    return at, Step.END
                if wait is not None:
                    return at, wait
            return at, None
        finally:
            self._share.left -= handled * FRAME + at * BYTE


def missing(stock: WebSocketProtocol13) -> list[str]:
    """What is not there of the names that this module rests on, or not in the version in which it was tried."""
    names = [f"{owner.__name__}.{name}" for owner, methods in METHODS.items() for name in methods if not hasattr(owner, name)]
    names += [f"WebSocketProtocol13.{name}" for name in FIELDS if not hasattr(stock, name)]
    if frames.mask is None:
        names.append("tornado.util._websocket_mask")
    if tornado.version_info[:2] != TESTED:
        names.append(f"version {'.'.join(map(str, TESTED))}")
    return names


@functools.cache
def tell_once(names: str) -> None:
    """Say that sockets are as Tornado has them, and why."""
    log.warning("sockets cost about four times as much CPU: Tornado %s lacks %s", tornado.version, names)


class LeanHandler(WebSocketHandler):
    """A WebSocketHandler on a LeanProtocol, or on Tornado's own where that cannot be."""

    share: Share = UNSHARED  # of its client
    held = False  # whether its frames are not read, since it is others' turn
    _stream: Transport | None = None  # what Tornado's own protocol runs on has none
    _unwritten = 0  # bytes sent by Tornado's own protocol and not yet written

    @property
    def deflates(self) -> bool:
        """Whether a client may send compressed messages, if it offers to."""
        return False

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Tornado's choice, made lean."""
        stock = super().get_websocket_protocol()
        if type(stock) is not WebSocketProtocol13:
            return stock
        if names := missing(stock):
            tell_once(", ".join(names))
            return stock
        lean = LeanProtocol(self, stock.mask_outgoing, stock.params)
        if self.deflates and (agreed := deflate.agree(self.request.headers.get("Sec-WebSocket-Extensions", ""))):
            self.set_header("Sec-WebSocket-Extensions", agreed)
            lean.inflates = True
        return lean

    def _detach_stream(self) -> IOStream:
        detached = super()._detach_stream()
        protocol = self.ws_connection
        if not isinstance(protocol, LeanProtocol) or protocol.compresses or type(detached) is not IOStream:
            return detached
        if detached.closed() or detached.writing():  # a client that left in the handshake is Tornado's to notice
            return detached
        try:
            self._stream = Transport(detached, self.on_flushed)
        except OSError:  # it takes a descriptor more for a moment, and none is free
            return detached
        return cast(IOStream, self._stream)  # as far as the protocol can tell

    def spend(self, since: float) -> None:
        """Count what a message has taken since `time.thread_time()` was that, as far as it is more than every message counts."""
        more = self.share.spend(since, FRAME)
        if isinstance(self.ws_connection, LeanProtocol):
            self.ws_connection.shorten(more)

    def on_ascii(self, message: bytes) -> Awaitable[None] | None:
        """A text message of ASCII, as bytes; for a handler that does not need text to override."""
        return self.on_message(message.decode())

    def send(self, *messages: bytes) -> None:
        """Send text messages of UTF-8, without a Future: `queued` and `on_flushed` tell of what is not written.

        Raises WebSocketClosedError.
        """
        if (stream := self._get_stream()) is not None:
            stream.send(b"".join(map(frames.text, messages)))
        else:
            self._send_stock(messages)

    def send_now(self, *messages: bytes) -> None:
        """`send` where no more will come in this turn of the loop: it saves a callback."""
        if (stream := self._get_stream()) is not None:
            stream.send_now(b"".join(map(frames.text, messages)))
        else:
            self._send_stock(messages)

    def _get_stream(self) -> Transport | None:
        """What text frames are written to; None where Tornado writes them. Raises WebSocketClosedError."""
        connection = self.ws_connection
        if connection is None or connection.is_closing():
            raise WebSocketClosedError
        return self._stream

    def _send_stock(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self._unwritten += len(message)
            write = asyncio.ensure_future(self.write_message(message))
            write.add_done_callback(functools.partial(self._written, len(message)))

    def _written(self, size: int, write: "asyncio.Future[None]") -> None:
        write.exception()  # the socket is closed then, which is told elsewhere
        self._unwritten -= size
        if not self._unwritten:
            self.on_flushed()

    @property
    def closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.ws_connection is None or self.ws_connection.is_closing()

    @property
    def queued(self) -> int:
        """Bytes sent that the client's connection did not take yet."""
        return self._stream.unwritten if self._stream is not None else self._unwritten

    def on_flushed(self) -> None:
        """All that was sent is written, or never will be."""

    def on_piece(self) -> None:
        """A part came of a frame that is no whole text message, or not yet."""

    async def on_violation(self) -> None:
        """The client broke the protocol: what is due to it is sent before this returns, and then it is closed."""
