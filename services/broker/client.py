"""A short way to Redis for what every job costs: commands go out as they come, replies are handled in the turn that brings them."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import hiredis
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError, InvalidResponse, ReadOnlyError, TimeoutError

from services.broker.connection import Client, NoReplicasError, leave
from services.broker.sentinel import Address

Command = tuple[str | bytes | int, ...]

LOOKS = 8  # times in a timeout that it is looked whether Redis is silent: a clock for each command would cost more than the command

# hiredis' own annotation is of a tuple of one
pack: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment]

NOTHING = object()  # what the reader says when no reply is complete


class Link(asyncio.Protocol):
    """One connection to Redis. redis-py makes it, with all that its settings say, and lets go of it."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        hear: Callable[[Any], None],
        lost: Callable[[Exception], None],
        doubt: Callable[[], None],
        address: Address | None = None,
    ) -> None:
        """`hear` gets each reply (an error is an exception), `lost` is told once why there will be no more, `doubt` each time that
        the server may be the primary no longer.
        """
        self.address = address
        self._doubt = doubt
        self._writer = writer  # closes the transport when it is forgotten
        self._transport: asyncio.WriteTransport = writer.transport
        self._hear = hear
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(InvalidResponse, BaseParser.parse_error, notEnoughData=NOTHING)
        self._open = True
        self._unsent: list[bytes] = []  # commands of this turn
        self.heard_at = self._loop.time()

    @classmethod
    async def open(cls, redis: Client, hear: Callable[[Any], None], lost: Callable[[Exception], None]) -> "Link":
        """A new connection with the settings of this client. Raises what it raises."""
        pool = redis.connection_pool
        # RESP2, in which a subscriber's messages are lists like all replies
        connection: Any = pool.connection_class(**{**pool.connection_kwargs, "protocol": 2})
        await connection.connect()
        writer, connection._writer, connection._reader = connection._writer, None, None
        link = cls(writer, hear, lost, redis.doubt, (connection.host, connection.port) if hasattr(connection, "port") else None)
        redis.links.add(link)
        link._transport.set_protocol(link)
        if link._transport.is_closing():
            raise ConnectionError("Redis closed the connection at once")
        return link

    def write(self, *commands: Command) -> None:
        """Send these commands with the others of this turn of the loop: a write costs more than all else."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent += [pack(command) for command in commands]

    def _flush(self) -> None:
        if self._open:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Hear every reply that is complete."""
        self.heard_at = self._loop.time()
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not NOTHING:
                self._hear(reply)
                if isinstance(reply, ReadOnlyError):  # a replica now: the next connection may find who took its place
                    self.end(reply)
                elif isinstance(reply, NoReplicasError):
                    self._doubt()
        except Exception as error:  # not Redis at the other end, or a fault of ours: whoever uses the link raises it
            self.end(error)

    def connection_lost(self, error: Exception | None) -> None:
        """The other end closed."""
        self.end(ConnectionError(f"Redis closed the connection{f': {error}' if error else ''}"))

    def end(self, error: Exception) -> None:
        """Close at once, for this reason."""
        self._transport.abort()
        if self._open:
            self._open = False
            self._doubt()
            self._lost(error)


@dataclass(slots=True, eq=False)
class Sent:
    """Commands whose replies are not all there."""

    replied: "asyncio.Future[Any]"
    missing: int  # replies
    due: float  # loop.time() after which Redis counts as silent
    error: Exception | None = None  # the first of their replies that is one


class BrokerClient:
    """A client with one connection and no retry: it raises what redis-py would raise.

    Commands under way fail when the connection is lost; the next one makes it again. Replies come in the order of the
    commands, so whoever sends one that blocks holds up all others: give it a client of its own.
    """

    def __init__(self, redis: Client) -> None:
        """With the settings of this client."""
        self._redis = redis
        self._timeout: float = redis.connection_pool.connection_kwargs["socket_timeout"]
        self._link: Link | None = None
        self._sent: deque[Sent] = deque()
        self._demoted = False  # whether the last connection led to a replica
        self._opening = asyncio.Lock()

    async def run(self, *command: str | bytes | int, blocking: float = 0.0) -> Any:
        """The reply to one command, which Redis may put off for `blocking` seconds."""
        if self._link is None:
            await self._open()
        return await self.send(command, blocking=blocking)

    def evalsha(self, digest: str, number_of_keys: int, *rest: str | bytes | int) -> Coroutine[Any, Any, Any]:
        """As redis-py has it."""
        return self.run("EVALSHA", digest, number_of_keys, *rest)

    async def eval(self, source: str, number_of_keys: int, *rest: str | bytes | int) -> Any:
        """As redis-py has it."""
        return await self.run("EVAL", source, number_of_keys, *rest)

    async def expire(self, key: str, seconds: int) -> Any:
        """As redis-py has it."""
        return await self.run("EXPIRE", key, seconds)

    async def publish(self, channel: str, message: bytes) -> Any:
        """As redis-py has it."""
        return await self.run("PUBLISH", channel, message)

    def send(self, *commands: Command, blocking: float = 0.0) -> "asyncio.Future[Any]":
        """Send commands soon, before all that is sent later; the reply to the last one, or the first error among their replies."""
        loop = asyncio.get_running_loop()
        replied: asyncio.Future[Any] = loop.create_future()
        if self._link is None:
            replied.set_exception(ConnectionError("not connected to Redis"))
        else:
            self._sent.append(Sent(replied, len(commands), loop.time() + self._timeout + blocking))
            self._link.write(*commands)
        return replied

    async def _open(self) -> None:
        async with self._opening:
            if self._link is None:
                if self._demoted:
                    self._demoted = False
                    await leave(self._redis)
                self._link = link = await Link.open(self._redis, self._hear, self._lose)
                self._watch(link)

    def _watch(self, link: Link) -> None:
        """End the connection when it is silent for too long."""
        if self._link is not link:
            return
        loop = asyncio.get_running_loop()
        if self._sent and self._sent[0].due < loop.time():
            link.end(TimeoutError(f"Redis was silent for {self._timeout:g} s"))
        else:
            loop.call_later(self._timeout / LOOKS, self._watch, link)

    def _hear(self, reply: Any) -> None:
        sent = self._sent[0]
        sent.missing -= 1
        if isinstance(reply, Exception) and sent.error is None:
            sent.error = reply
        if sent.missing:
            return
        self._sent.popleft()
        if not sent.replied.done():  # nobody waits any more
            if sent.error is None:
                sent.replied.set_result(reply)
            else:
                sent.replied.set_exception(sent.error)

    def _lose(self, error: Exception) -> None:
        self._link = None
        self._demoted = isinstance(error, ReadOnlyError)
        while self._sent:
            replied = self._sent.popleft().replied
            if not replied.done():
                replied.set_exception(error)
