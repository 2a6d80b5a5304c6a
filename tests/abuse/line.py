"""A client's lines to the service: connections from an address of one's own, requests and WebSocket messages as bytes.

Small and without checks, so that what an attacker sends costs the service more than the attacker.
"""

import asyncio
import struct
from dataclasses import dataclass
from typing import Self

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # the example of RFC 6455; nobody checks what comes back
HEAD = 65_536  # most bytes of a response's head


@dataclass(frozen=True, slots=True)
class Target:
    """Where the service listens, and which address the client has."""

    port: int
    address: str
    host: str = "127.0.0.1"


class NoSocket(Exception):
    """The handshake was refused; the text is the status."""


async def connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TCP connection. Raises OSError."""
    return await asyncio.open_connection(target.host, target.port, local_addr=(target.address, 0), limit=HEAD)


async def request(target: Target, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """One HTTP request of HTTP/1.0, so that the answer ends with the connection: its status and body. Raises OSError, EOFError."""
    reader, writer = await connect(target)
    try:
        writer.write(f"{head}\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return await read_answer(reader)
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of what comes until the connection ends. Raises EOFError."""
    status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])
    return status, await reader.read()


def text(message: bytes) -> bytes:
    """A whole text message as a client's frame, with a mask of zeros."""
    size = len(message)
    if size < 126:
        head = struct.pack("!BB", 0x81, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x81, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x81, 0x80 | 127, size)
    return head + bytes(4) + message


class Socket:
    """A WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, target: Target, subprotocol: str = "") -> Self:
        """Shake hands. Raises OSError, EOFError, NoSocket."""
        reader, writer = await connect(target)
        head = b"GET /chatsocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY
        if subprotocol:
            head += b"\r\nSec-WebSocket-Protocol: " + subprotocol.encode()
        writer.write(head + b"\r\n\r\n")
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in answer.partition(b"\r\n")[0]:
                raise NoSocket(answer.split(b" ", 2)[1].decode())
        except BaseException:
            writer.close()
            raise
        return cls(reader, writer)

    async def send(self, *messages: bytes) -> None:
        """Send text messages, and wait while the service takes no more. Raises OSError."""
        self.writer.write(b"".join(map(text, messages)))
        await self.writer.drain()

    async def receive(self) -> bytes:
        """The next text message; pings get no pong. Raises EOFError when the service closes."""
        while True:
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            payload = await self.reader.readexactly(size)
            if first & 0x0F == 0x1:
                return payload
            if first & 0x0F == 0x8:
                raise EOFError(f"closed with {int.from_bytes(payload[:2])}")

    def close(self) -> None:
        """Leave without a word."""
        self.writer.close()
