"""A connection on a transport of the event loop, with what Tornado's WebSocket protocol asks of a stream."""

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Any, cast

from tornado.iostream import IOStream, StreamClosedError

Hear = Callable[[bytes], Any]  # takes what came, or puts it with what is unread; anything but None ends the listening


class Transport(asyncio.Protocol):
    """Takes over the connection of an IOStream.

    It hands bytes over in the turn in which they came, without a Future, and what is sent in one turn is one write. As with an
    IOStream nothing is read while nobody waits for it, bytes that came before the end can be read after it, and a close
    drops what the kernel does not take.
    """

    def __init__(self, detached: IOStream, flushed: Callable[[], None]) -> None:
        """`detached` has nothing left to write; `flushed` is called whenever all that was sent is written, or never will be."""
        self.io_loop = detached.io_loop
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket = detached.socket.dup()
        detached.close()
        rest = cast("asyncio.Future[bytes]", detached.read_until_close())  # done, for the stream is closed
        self._connecting = False
        self._transport: asyncio.Transport | None = None  # while connected
        self._closed = False

        self.unread = bytearray(rest.result())  # a listener takes from it
        self._wanted = 0  # bytes that `read_bytes` waits for
        self._least = 0  # bytes with which it is content
        self._hear: Hear | None = None
        self._waiting: asyncio.Future[Any] | None = None  # of the listener, or the reader
        self._paused = False  # whether the transport does not read
        self._ended = False  # whether the peer said that no more will come

        self._unsent: list[bytes] = []  # in this turn
        self._unsent_size = 0
        self._stuck = False  # whether the kernel does not take all
        self._writes: list[asyncio.Future[None]] = []  # done when all is written
        self._flushed = flushed

    async def connect(self) -> None:
        """Read and write from now on."""
        if self._closed:
            raise StreamClosedError
        self._connecting = True
        try:
            await self._loop.connect_accepted_socket(lambda: self, self._socket)
        except OSError as error:
            self._connecting = False
            self.close()
            raise StreamClosedError(error) from error

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write what was sent until now."""
        transport = cast(asyncio.Transport, transport)
        if self._closed:
            transport.abort()
            return
        self._transport = transport
        transport.set_write_buffer_limits(0)  # so that we are told when the kernel does not take all
        self._flush()

    def listen(self, hear: Hear) -> "asyncio.Future[Any]":
        """Have `hear` take what comes until it returns something: the result. Raises StreamClosedError when no more comes."""
        self._hear = hear
        return self._wait()

    def read_bytes(self, size: int, partial: bool = False) -> "asyncio.Future[bytes]":
        """Exactly so many bytes, or as many of them as are there if `partial`. Raises StreamClosedError when they do not come."""
        least = min(size, 1) if partial else size
        if len(self.unread) < least:
            self._wanted, self._least = size, least
            return self._wait()
        future: asyncio.Future[bytes] = self._loop.create_future()
        future.set_result(self._read(size))
        return future

    def _read(self, size: int) -> bytes:
        read = bytes(self.unread[:size])
        del self.unread[:size]
        return read

    def _wait(self) -> "asyncio.Future[Any]":
        self._waiting = waiting = self._loop.create_future()
        if self._closed or self._ended:
            self.close()
        elif self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return waiting

    def data_received(self, data: bytes) -> None:
        """Hand it over; once nobody waits for more, the peer is held back."""
        result = None
        if self._hear is not None:
            result = self._hear(data)
            if result is None:
                return
        else:
            self.unread += data
            if self._waiting is not None:
                if len(self.unread) < self._least:
                    return
                result = self._read(self._wanted)
        waiting, self._waiting, self._hear = self._waiting, None, None
        if waiting is not None and not waiting.done():
            waiting.set_result(result)
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """End the connection, though not before what came is read."""
        self._ended = True
        if self._waiting is not None:
            self.close()
        return True  # the transport does not close by itself

    async def drop(self) -> None:
        """Write no more, and drop what comes until the peer ends too; raises StreamClosedError then.

        A close while bytes are unread would be a reset, which destroys what is under way to the peer.
        """
        self._flush()
        self.unread.clear()
        if self._transport is not None:
            self._transport.write_eof()
        await self.listen(lambda read: None)

    def send(self, data: bytes) -> None:
        """Write this at the end of the turn, together with what else is sent in it."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)
        self._unsent_size += len(data)

    def send_now(self, data: bytes) -> None:
        """Write this and what was sent before it."""
        self._unsent.append(data)
        self._unsent_size += len(data)
        self._flush()

    def write(self, data: bytes) -> "asyncio.Future[None]":
        """Write this now; done when the kernel took it."""
        if self._closed:
            raise StreamClosedError
        write: asyncio.Future[None] = self._loop.create_future()
        self._writes.append(write)
        self._unsent.append(data)
        self._unsent_size += len(data)
        self._flush()
        return write

    @property
    def unwritten(self) -> int:
        """Bytes that were sent and that the kernel did not take yet."""
        return self._unsent_size + (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    def _flush(self) -> None:
        if self._transport is None or not self._unsent:
            return
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_size = 0
        self._transport.write(data)
        if not self._stuck:
            self._written()

    def _written(self) -> None:
        for write in self._writes:
            if not write.done():
                write.set_result(None)
        self._writes.clear()
        self._flushed()

    def pause_writing(self) -> None:
        """The kernel did not take all."""
        self._stuck = True

    def resume_writing(self) -> None:
        """The kernel took the rest."""
        self._stuck = False
        self._written()

    def set_nodelay(self, value: bool) -> None:
        """Whether small packets go out at once."""
        if not self._closed:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, value)

    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed

    @property
    def deserted(self) -> bool:
        """Whether the peer has ended, though some of what it sent before that may not be read yet."""
        if self._transport is None or self._ended:
            return True
        look = select.poll()
        look.register(self._socket.fileno(), select.POLLRDHUP)
        return bool(look.poll(0))

    def connection_lost(self, error: Exception | None) -> None:
        """The peer is gone, or we are."""
        self._transport = None
        self.close()

    def close(self) -> None:
        """End the connection now; whoever waits is told."""
        if not self._closed:
            self._flush()
            self._closed = True
            if self._transport is not None:
                self._transport.abort()
                self._transport = None
            elif not self._connecting:
                self._socket.close()
            self._unsent.clear()
            self._unsent_size = 0
            self._loop.call_soon(self._flushed)  # later: the caller is in the midst of something
        for future in (self._waiting, *self._writes):
            if future is not None and not future.done():
                future.set_exception(StreamClosedError())
                future.exception()  # nobody needs to look at it
        self._waiting = self._hear = None
        self._writes.clear()
