"""How web and worker reach Redis, and how long they wait before they try again."""

import asyncio
import builtins
import contextlib
import logging
import random
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

import redis.asyncio
from redis._parsers.base import BaseParser
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from services.broker.sentinel import Address, PrimaryPool, Sentinels
from services.broker.tls import Papers, secure
from services.runtime.settings import Settings

log = logging.getLogger(__name__)


class CannotSaveError(ResponseError):
    """Redis cannot write its append-only file: the disk is full or gone."""


class NoReplicasError(ResponseError):
    """Redis takes no write as long as fewer replicas follow it than its settings want."""


class BusyError(ResponseError):
    """Somebody's script has run for seconds, and Redis serves nobody else until it ends or is killed."""


# redis-py has no class of its own for these replies, and their text is all that tells them from a fault of ours.
BaseParser.EXCEPTION_CLASSES["MISCONF"] = CannotSaveError
BaseParser.EXCEPTION_CLASSES["NOREPLICAS"] = NoReplicasError
BaseParser.EXCEPTION_CLASSES["BUSY"] = BusyError
BaseParser.EXCEPTION_CLASSES["UNKILLABLE"] = BusyError  # the same, and it has written already

# A cluster that moves or has lost what we ask for, and a replica without its master; AskError covers MOVED and ASK.
ELSEWHERE = (AskError, ClusterDownError, MasterDownError, TryAgainError)

# What is met where another server is the primary now, or is about to be.
DOUBTS = (ConnectionError, TimeoutError, ReadOnlyError, NoReplicasError)

# After these the same command may succeed later: Redis is away, starting (BusyLoadingError is a ConnectionError),
# full, without a disk or its replicas, busy, or a replica for the moment.
# Anything else is a fault of ours and ends the process.
PASSING = (
    *(ConnectionError, TimeoutError, OutOfMemoryError, ReadOnlyError, CannotSaveError),
    *(NoReplicasError, BusyError, *ELSEWHERE),
)

CONNECT = 2.0  # seconds until a try to connect is given up for another: one that began while the network was away may hang
CONNECTIONS = 16  # a process sends a handful of commands at a time, since commands are batched; a bound, not a need
LOOK = 1.0  # seconds between two looks for another primary
SOON = 0.1  # the same while the present one refuses or is lost


Opened = Callable[[Any], Awaitable[None]]  # what greets Redis over a new connection, of whatever kind redis-py makes


class Leads(Protocol):
    """A connection that somebody else holds."""

    address: Address | None  # of the server, where it listens on TCP

    def end(self, error: Exception) -> None:
        """Close it for this reason."""


class Client(redis.asyncio.Redis):
    """Leaves a server that says that it is a replica: the next connections may find who took its place."""

    def __init__(self, pool: ConnectionPool) -> None:
        """Owns its pool."""
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self.links: weakref.WeakSet[Leads] = weakref.WeakSet()  # connections beside the pool
        self._doubted = asyncio.Event()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py has it."""
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's own
        except DOUBTS as error:
            self.doubt()
            if isinstance(error, ReadOnlyError):
                await leave(self)
            raise

    async def _leave_all_but(self, address: Address) -> None:
        """Close what leads elsewhere, also while it is in use; the pool has closed what was idle."""
        connection: Any  # one to a host and a port, as Sentinels name them
        for connection in [*self.connection_pool._in_use_connections]:
            if (connection.host, connection.port) != address:
                await connection.disconnect(nowait=True)

    def doubt(self) -> None:
        """Have it looked soon whether another server is the primary: this one refused, or a connection to it was lost."""
        self._doubted.set()

    async def follow(self) -> None:
        """Leave the former primary once Sentinels name another, until cancelled; at once without Sentinels.

        A primary that was cut off or stands still says nothing that would tell, so it is looked each second, and sooner when
        doubted. Raises nothing.
        """
        loop = asyncio.get_running_loop()
        pool = self.connection_pool
        if not isinstance(pool, PrimaryPool):
            return
        known: Address | None = None
        while True:
            self._doubted.clear()
            looked = loop.time()
            try:
                address = await pool.get_master_address()  # type: ignore[no-untyped-call]  # redis-py's own
            except PASSING as error:
                log.debug("could not ask where Redis' primary is: %s", error)
            else:
                for link in [*self.links]:
                    if link.address != address:
                        link.end(ConnectionError(f"Redis' primary is {address[0]}:{address[1]} now"))
                if known not in (None, address):
                    log.warning("Redis' primary is %s:%d now", *address)
                    await self._leave_all_but(address)
                known = address
            with contextlib.suppress(builtins.TimeoutError):
                async with asyncio.timeout_at(looked + LOOK):
                    await self._doubted.wait()
            await asyncio.sleep(looked + SOON - loop.time())


def steady(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """The same kind of connection, which fails as others do when it is closed while a command is about to be sent.

    uvloop raises a RuntimeError then, which redis-py takes for a fault of its caller.
    """

    class Steady(kind):  # type: ignore[valid-type,misc]  # a class made at run time
        async def send_packed_command(self, *args: Any, **options: Any) -> None:
            try:
                await super().send_packed_command(*args, **options)
            except RuntimeError as error:
                raise ConnectionError(str(error)) from error

    return Steady


async def leave(client: redis.asyncio.Redis) -> None:
    """Close the connections of a client's pool: idle ones at once, those that are in use when they are given back."""
    pool = client.connection_pool
    await pool.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]  # redis-py's own
    for connection in [*pool._available_connections]:
        await connection.disconnect(nowait=True)  # else whoever takes it meanwhile loses it in the middle of a command


def connect(settings: Settings, opened: Opened | None = None) -> Client:
    """A client with a bounded pool that answers in bytes and leaves retrying to its caller.

    The caller knows what a repeated command would do; the client's own retry does not. `opened` comes before all else on each
    new connection, and greets Redis itself.
    """
    place = urlsplit(settings.redis_url)
    options: dict[str, Any] = {
        "username": settings.redis_user,
        "password": settings.redis_password,
        "client_name": settings.instance,
        "max_connections": CONNECTIONS,
        "timeout": settings.redis_timeout,
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": min(CONNECT, settings.redis_timeout),
        "retry": Retry(NoBackoff(), 0),
        "redis_connect_func": opened,
    }
    pool: ConnectionPool
    if place.scheme.endswith("sentinel"):
        sentinels = _sentinels(settings, place)
        pool = PrimaryPool(place.path.removeprefix("/"), sentinels, **options)  # type: ignore[no-untyped-call]  # redis-py's own
        pools = [pool, *(sentinel.connection_pool for sentinel in sentinels.sentinels)]
    else:
        pool = BlockingConnectionPool.from_url(settings.redis_url, **options)
        pools = [pool]
    if place.scheme.startswith("rediss"):
        papers = Papers(settings.redis_ca_file, settings.redis_certificate_file, settings.redis_key_file)
        for each in pools:
            secure(each, papers)
    for each in pools:
        each.connection_class = steady(each.connection_class)
    return Client(pool)


def _sentinels(settings: Settings, place: SplitResult) -> Sentinels:
    addresses = [(host, int(port)) for host, _, port in (each.rpartition(":") for each in place.netloc.split(","))]
    return Sentinels(addresses, {"username": settings.sentinel_user, "password": settings.sentinel_password})


class Backoff:
    """Waits that double from 50 ms to 1 s, each drawn at random ("full jitter"), until `reset`.

    The longest wait is short because the promise is to be back within seconds of Redis; the processes are few.
    """

    FIRST, LONGEST = 0.05, 1.0  # seconds

    def __init__(self) -> None:
        self._bound = self.FIRST

    def next(self) -> float:
        """Seconds to wait now."""
        wait = random.uniform(self.FIRST / 2, self._bound)
        self._bound = min(self.LONGEST, self._bound * 2)
        return wait

    def reset(self) -> None:
        """Begin with short waits again: the last try succeeded."""
        self._bound = self.FIRST
