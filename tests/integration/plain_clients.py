"""Clients of the plain protocol that check every answer."""

import asyncio
import contextlib
import random
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import gmpy2
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

PRIME, NOT_PRIME = "is a prime number", "is not a prime number"
INVALID = "Invalid input"

HEAVY = str(10**182 + 231)  # a prime of 183 digits that its neighbours do not prove: in the heavy lane, tested in a millisecond
HEAVY_COMPOSITE = str((1 << 607) + 1)
HEAVIES = [gmpy2.digits(gmpy2.mpz(10) ** 200 + 2 * n + 1) for n in range(20)]  # each a run of its own; some are prime
SLOW = gmpy2.mpz((1 << 23209) - 1).digits()  # a prime of 6,987 digits: 10 seconds and more
SLOW_COMPOSITE = gmpy2.mpz(((1 << 21701) - 1) * ((1 << 9941) - 1)).digits()  # of 9,526 digits: 3 seconds and more
SEMIPRIME = str((10**59 + 19) * (3 * 10**59 + 17))  # of two primes, which no search for factors finds

PATIENCE = 60  # seconds until an answer counts as lost

Question = tuple[str, str]  # a message and its answer


def expect(number: int, prime: bool) -> Question:
    """The number with the answer that is known from elsewhere."""
    return gmpy2.mpz(number).digits(), PRIME if prime else NOT_PRIME


def question(number: int) -> Question:
    """The number with its answer by GMP."""
    return expect(number, number > 1 and gmpy2.is_prime(number))


def questions(count: int, seed: int) -> list[Question]:
    """Numbers of up to 30 digits, small ones as often as large ones."""
    draw = random.Random(seed)
    return [question(draw.randrange(10 ** draw.randint(1, 30))) for _ in range(count)]


@dataclass
class Tally:
    """What became of the questions of many clients."""

    asked: int = 0
    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    cut_off: int = 0  # clients whose connection ended before their last answer

    @property
    def lost(self) -> int:
        return self.asked - self.answered

    @property
    def clean(self) -> bool:
        """Something was asked, and every question got its answer, once and in its place."""
        return self.asked > 0 and not (self.lost or self.wrong or self.cut_off)

    def __str__(self) -> str:
        sample = f": {self.wrong[:3]}" if self.wrong else ""
        return f"asked {self.asked}, lost {self.lost}, wrong {len(self.wrong)}{sample}, cut off {self.cut_off}"

    def check(self, answer: str | bytes, asked: Question) -> None:
        self.answered += 1
        if answer != asked[1]:
            self.wrong.append(f"{asked[0][:40]}: {answer!r}")


@contextlib.asynccontextmanager
async def opened(url: str, tally: Tally) -> AsyncIterator[ClientConnection]:
    """A socket; an end that came too early, or an answer that did not, is counted."""
    async with connect(url, compression=None, ping_interval=None, open_timeout=30) as sock:
        try:
            yield sock
            await sock.send("none")  # its answer comes last: nothing came twice
            tally.asked += 1
            tally.check(await asyncio.wait_for(sock.recv(), PATIENCE), ("none", INVALID))
        except ConnectionClosed:
            tally.cut_off += 1
        except TimeoutError:
            pass  # the tally has one answer too few


async def ask(
    url: str,
    asked: Sequence[Question],
    tally: Tally,
    *,
    together: asyncio.Barrier | None = None,
    after_send: Callable[[], None] | None = None,
) -> None:
    """Send all questions at once, when everybody is connected (`together`), and compare the answers, in order."""
    async with opened(url, tally) as sock:
        tally.asked += len(asked)
        if together:
            await together.wait()
        sending = asyncio.create_task(send_all(sock, asked, after_send))
        try:
            for one in asked:
                tally.check(await asyncio.wait_for(sock.recv(), PATIENCE), one)
            await sending
        finally:
            sending.cancel()


async def send_all(sock: ClientConnection, asked: Sequence[Question], after_send: Callable[[], None] | None) -> None:
    with contextlib.suppress(ConnectionClosed):  # whoever waits for the answers counts it
        for message, _ in asked:
            await sock.send(message)
        if after_send:
            after_send()


def ask_all(clients: Iterable[tuple[str, Sequence[Question]]]) -> Tally:
    """Each client, an URL and its questions, over a socket of its own, all at the same time."""
    tally = Tally()

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for url, asked in clients:
                group.create_task(ask(url, asked, tally))

    asyncio.run(scenario())
    return tally


class Load:
    """Clients that keep asking in a thread of their own until `finish`, which waits for every answer."""

    BATCH = 50  # questions that one client has under way
    PAUSE = 0.01  # seconds between two batches: the machine has others to serve

    def __init__(self, *urls: str) -> None:
        self.tally = Tally()
        self._urls = urls
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> Tally:
        """Ask nothing more; the tally when all answers came or counted as lost."""
        self._stop.set()
        self._thread.join()
        return self.tally

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, url in enumerate(self._urls):
                group.create_task(self._ask(url, number))

    async def _ask(self, url: str, seed: int) -> None:
        pool = questions(1_000, seed)
        async with opened(url, self.tally) as sock:
            while not self._stop.is_set():
                pool = pool[self.BATCH :] + pool[: self.BATCH]
                batch = pool[: self.BATCH]
                self.tally.asked += len(batch)
                for message, _ in batch:
                    await sock.send(message)
                for one in batch:
                    self.tally.check(await asyncio.wait_for(sock.recv(), PATIENCE), one)
                await asyncio.sleep(self.PAUSE)


class RawClient:
    """A WebSocket without a thread behind it: it reads when told and not before. One thread may send while another reads.

    `narrow`: with the smallest buffers that the kernel gives, so that what is not read soon fills the server's, and what was sent
    is for the most part read. `address`: of this
    machine, from which it comes.
    """

    def __init__(self, url: str, *, narrow: bool = False, subprotocol: str | None = None, address: str = "") -> None:
        uri = parse_uri(url)
        self._protocol = ClientProtocol(uri, subprotocols=[Subprotocol(subprotocol)] if subprotocol else None, max_size=None)
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if narrow:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.bind((address, 0))
        self.socket.connect((uri.host, uri.port))
        self.pings = 0  # that the server sent
        self._sending = threading.Lock()
        self._events: deque[Frame | Response] = deque()
        self._protocol.send_request(self._protocol.connect())
        self._flush_replies()
        response = self._next()
        assert isinstance(response, Response) and response.status_code == 101, response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def widen(self) -> None:
        """Read with a buffer of the usual size from now on."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def send(self, message: str | bytes) -> None:
        """One message, when the server takes it."""
        with self._sending:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
            self._flush()

    def receive(self) -> str:
        """The next message; fails when the server closes instead."""
        frame = self._next()
        assert isinstance(frame, Frame) and frame.opcode is Opcode.TEXT, f"expected a message, got {frame}"
        return bytes(frame.data).decode()

    def wait_closed(self) -> int:
        """The code of the server's close frame, after everything that came before it."""
        while self._protocol.close_rcvd is None:
            self._next()
        return self._protocol.close_rcvd.code

    def messages(self, count: int) -> Iterator[str]:
        """The next so many messages."""
        for _ in range(count):
            yield self.receive()

    def idle(self, pings: int) -> bool:
        """Say nothing but pongs until so many pings came; False when the connection ended before."""
        while self.pings < pings:
            received = self.socket.recv(65536)
            if not received:
                return False
            self._protocol.receive_data(received)
            assert not self._arrived()
            self._flush_replies()
        return True

    def quiet(self) -> bool:
        """Whether nothing has come that was not read."""
        if self._events:
            return False
        self.socket.setblocking(False)
        try:
            self._protocol.receive_data(self.socket.recv(65536))
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        self._events += self._arrived()
        return not self._events

    def _arrived(self) -> list[Frame | Response]:
        """What has come, without the pings."""
        events = self._protocol.events_received()
        pings = [event for event in events if isinstance(event, Frame) and event.opcode is Opcode.PING]
        self.pings += len(pings)
        return [event for event in events if event not in pings]

    def _next(self) -> Frame | Response:
        deadline = time.monotonic() + PATIENCE
        while not self._events:
            assert time.monotonic() < deadline, f"nothing came in {PATIENCE} s"
            if received := self.socket.recv(65536):
                self._protocol.receive_data(received)
            else:
                self._protocol.receive_eof()
            self._events += self._arrived()
            assert self._events or received, "the server ended the connection"
            self._flush_replies()
        return self._events.popleft()

    def _flush_replies(self) -> None:
        """Send pongs, and the answer to a close; not while somebody sends, since the server may be waiting for us to read."""
        if self._sending.acquire(blocking=False):
            try:
                self._flush()
            finally:
                self._sending.release()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.socket.sendall(data)
