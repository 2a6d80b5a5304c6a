"""Clients of `primes.v1` that follow the protocol's one rule and write down everything they do and see."""

import asyncio
import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import gmpy2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from tests.chaos.history import (
    Asked,
    Away,
    Closed,
    Ended,
    Event,
    Figures,
    Forgotten,
    Left,
    Opened,
    Refused,
    Repeated,
    Shown,
    Unwanted,
    blamed,
    judge,
)

PATIENCE = 60  # seconds without any answer after which what is open counts as lost
OPENING = 10  # seconds until a try to open a socket and its session is given up for another
JITTER = 0.05, 0.5  # seconds between two tries: what every client owes the server
# Seconds until a client cancels a request or sends it once more, at most: before, while and after numbers are computed.
REGRETS = 0.002, 0.01, 0.3
DEADLINES = 0.05, 0.5, 3.0  # seconds that a client names which names any
STAYS = 0.0, 0.3, 2.0  # seconds that a client which moves is without a socket
CANCEL = "cancel "  # begins the id of a cancellation, before that of the request
BACK = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError)  # come back after these


@dataclass(frozen=True, slots=True)
class Whims:
    """What a client does beside asking."""

    cancels: float = 0.0  # share of its requests that it cancels
    proofs: frozenset[str] = frozenset()  # numbers whose proof it wants
    deadlines: float = 0.0  # share of its requests that it wants by some time
    repeats: float = 0.0  # share of its requests that it sends once more while they have no answer, with the same id
    moves: float = 0.0  # share of its requests after which it goes on over another socket
    leaves: bool = False  # whether it goes for good when it has asked all, whatever it was answered
    ping: float | None = None  # seconds between two pings, after as many of which without an answer it comes back


class Client:
    """One client over as many sockets as its life takes; asks one number each `interval` seconds."""

    PROTOCOLS: Sequence[Subprotocol] | None = (Subprotocol("primes.v1"),)

    def __init__(
        self, name: str, url: Callable[[], str], numbers: Sequence[str], interval: float, seed: int, whims: Whims = Whims()
    ) -> None:
        self.history: list[Event] = []
        self.instance = ""  # that holds the socket; empty without one
        self._name = name
        self._url = url  # where to connect now
        self._numbers = numbers
        self._interval = interval
        self._chance = random.Random(seed)
        self._whims = whims
        self._open: dict[str, Asked] = {}  # requests without an answer
        self._unwanted: set[str] = set()  # requests that were to be cancelled
        self._session, self._offset = "", "0"
        self._sockets = 0
        self._socket: ClientConnection | None = None  # once its session is told or resumed
        self._stay_away = 0.0  # seconds, after the present socket
        self._enough = False  # whether it shall ask nothing more
        self._asked_all = False
        self._finished = asyncio.Event()
        self._later: set[asyncio.Task[None]] = set()  # what is to be asked again, or cancelled

    async def run(self) -> None:
        """Until every request has its answer, PATIENCE is over, or the client leaves."""
        living = asyncio.create_task(self._live())
        await self._ask_all()
        if self._whims.leaves:
            self._note(Left(time.monotonic()))
            self._finished.set()
        try:
            while not self._finished.is_set():
                seen = len(self.history)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._finished.wait(), PATIENCE + self._stay_away)
                if len(self.history) == seen:
                    return  # what is open is lost
        finally:
            for task in (living, *self._later):
                task.cancel()
            await asyncio.gather(living, *self._later, return_exceptions=True)

    def cut_off(self, away: float) -> None:
        """End the socket without a word, as a lost network does, and stay away for so many seconds."""
        if self._socket is not None:
            self._stay_away = away
            self._socket.transport.abort()

    def stop_asking(self) -> None:
        """Ask nothing new, and end when all that was asked has its answer."""
        self._enough = True

    def figures(self) -> Figures:
        """What the history says."""
        return judge(self.history)

    async def _ask_all(self) -> None:
        await asyncio.sleep(self._chance.random() * self._interval)  # else all ask in the same instant
        for index, number in enumerate(self._numbers):
            if self._enough:
                break
            request = f"{self._name}-{index}"
            deadline = self._chance.choice(DEADLINES) if self._feels_like(self._whims.deadlines) else 0.0
            self._open[request] = asked = Asked(time.monotonic(), request, number, deadline)
            self._note(asked)
            if self._socket is not None:
                await self._ask(self._socket, request)
            if self._feels_like(self._whims.cancels):
                self._do_later(self._cancel(request))
            if self._feels_like(self._whims.repeats):
                self._do_later(self._repeat(request))
            if self._feels_like(self._whims.moves):
                self.cut_off(self._chance.choice(STAYS))
            await asyncio.sleep(self._interval)
        self._asked_all = True
        self._finish()

    def _feels_like(self, share: float) -> bool:
        """Whether it does now what it does in this share of cases."""
        return bool(share) and self._chance.random() < share

    def _finish(self) -> None:
        if self._asked_all and not self._open:
            self._finished.set()

    def _note(self, event: Event) -> None:
        self.history.append(event)

    async def _live(self) -> None:
        """Connect, listen, come back."""
        while True:
            try:
                await self._use_socket()
            except BACK:
                await asyncio.sleep(self._chance.uniform(*JITTER))
            if self._stay_away:
                now = time.monotonic()
                self._note(Away(now, now + self._stay_away))
                await asyncio.sleep(self._stay_away)
                self._stay_away = 0.0

    async def _use_socket(self) -> None:
        """One socket from its opening to its end."""
        number, self._sockets = self._sockets, self._sockets + 1
        async with asyncio.timeout(OPENING) as opening:
            socket = await connect(
                self._url(),
                subprotocols=self.PROTOCOLS,
                compression=None,
                ping_interval=self._whims.ping,
                ping_timeout=self._whims.ping,
                close_timeout=1,
            )
            try:
                await self._begin(socket, number)
                opening.reschedule(None)
                async for message in socket:
                    await self._hear(socket, number, message)
            finally:
                self._socket, self.instance = None, ""
                self._note(Closed(time.monotonic(), number, socket.close_code))
                socket.transport.abort()

    async def _begin(self, socket: ClientConnection, number: int) -> None:
        """Learn the session, or resume the former one, and ask again what is open."""
        told = json.loads(await socket.recv())["params"]
        if self._session:
            await self._call(socket, "resume", "resume", {"session": self._session, "offset": self._offset})
            while (answer := json.loads(await socket.recv())).get("id") != "resume":
                pass  # a notification; nothing else was asked over this socket
            if "error" in answer:
                raise ConnectionResetError(answer["error"]["message"])  # come back with the same session
            told = answer["result"]
        self._session, self._offset = told["session"], told["offset"]
        self._note(Opened(time.monotonic(), number, told["instance"], told["session"], told.get("recovered")))
        self._socket, self.instance = socket, told["instance"]
        await self._ask_again(socket)

    async def _ask_again(self, socket: ClientConnection) -> None:
        for request in list(self._open):
            await self._ask(socket, request)

    async def _ask(self, socket: ClientConnection, request: str) -> None:
        if (asked := self._open.get(request)) is not None:
            wishes: dict[str, Any] = {"proof": True} if asked.number in self._whims.proofs else {}
            if asked.deadline:
                wishes["deadline"] = asked.deadline
            await self._call(socket, request, "is_prime", {"number": asked.number, **wishes})

    async def _think_again(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, self._chance.choice(REGRETS)))

    async def _repeat(self, request: str) -> None:
        await self._think_again()
        if self._socket is not None and request in self._open and request not in self._unwanted:
            self._note(Repeated(time.monotonic(), request, self._sockets - 1))
            await self._ask(self._socket, request)

    async def _cancel(self, request: str) -> None:
        """Whether it is heard or not, the request is answered: once."""
        await self._think_again()
        if self._socket is not None and request in self._open:
            self._note(Unwanted(time.monotonic(), request))
            self._unwanted.add(request)
            await self._call(self._socket, CANCEL + request, "cancel", {"request": request})

    def _do_later(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(what)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _call(self, socket: ClientConnection, id: str, method: str, params: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionClosed):  # the next socket asks again
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))

    async def _hear(self, socket: ClientConnection, number: int, text: str | bytes) -> None:
        """What comes over a socket; `number`: the socket's."""
        now, message = time.monotonic(), json.loads(text)
        if message.get("method") == "session":
            if message["params"].get("recovered") is False:
                self._note(Forgotten(now, number))
                self._offset = message["params"]["offset"]
                await self._ask_again(socket)
        elif "method" in message:
            pass  # other notifications promise nothing about answers
        elif str(message["id"]).startswith(CANCEL):
            if "result" in message:
                self._note(Ended(now, message["id"].removeprefix(CANCEL), message["result"]["cancelled"]))
        elif message.get("error", {}).get("data", {}).get("retryable"):
            self._note(Refused(now, message["id"], message["error"]["data"]["code"], number))
            self._do_later(self._retry(socket, message["id"], message["error"]["data"]["retry_after"]))
        else:
            self._take(now, number, message)

    async def _retry(self, socket: ClientConnection, request: str, seconds: float) -> None:
        await asyncio.sleep(seconds * self._chance.uniform(1.0, 1.5))
        if socket is self._socket:  # else the next socket has asked
            await self._ask(socket, request)

    def _take(self, now: float, number: int, message: dict[str, Any]) -> None:
        """A result, or an error that is final."""
        answer = message.get("result") or message["error"]["data"]
        self._offset = answer.get("offset", self._offset)
        verdict = answer["verdict"] if "result" in message else f"error {answer['code']}"
        self._note(Shown(now, message["id"], verdict, self._offset, number))
        self._open.pop(message["id"], None)
        self._finish()


LONGEST = 300  # characters of an event that is told: its number may have thousands of digits


class Crowd:
    """Many clients in a thread of their own, so that faults can block."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = clients
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    @property
    def asking(self) -> bool:
        """Whether somebody still waits for something."""
        return self._thread.is_alive()

    @property
    def answered(self) -> int:
        """Answers that have come so far."""
        return sum(isinstance(event, Shown) for client in self.clients for event in tuple(client.history))

    def cut_off(self, instance: str, away: float) -> int:
        """Cut off the clients of one web process ("": all), for so many seconds; returns how many."""
        affected = [client for client in self.clients if client.instance and client.instance.startswith(instance)]
        assert self._loop
        for client in affected:
            self._loop.call_soon_threadsafe(client.cut_off, away)
        return len(affected)

    def stop_asking(self) -> None:
        """No client asks anything new."""
        assert self._loop
        for client in self.clients:
            self._loop.call_soon_threadsafe(client.stop_asking)

    def blamed(self) -> str:
        """The figures, and of the first client whose history is not clean what shows it."""
        first = next((client.history for client in self.clients if not client.figures().clean), [])
        return "\n".join([str(self.figures()), *(str(event)[:LONGEST] for event in blamed(first))])

    def figures(self) -> Figures:
        """When all have ended."""
        self._thread.join()
        return sum((client.figures() for client in self.clients), Figures())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            for client in self.clients:
                group.create_task(client.run())


@cache
def _slow(index: int) -> str:
    return gmpy2.next_prime(gmpy2.mpz(10) ** 700 + index * 10**6).digits()


def slow(seed: int) -> str:
    """One of a few primes that take 30 ms in a child process: some are asked by several at once."""
    return _slow(seed % 8)


def numbers(count: int, seed: int, heavy: int, proofs: Sequence[str] = ()) -> list[str]:
    """Numbers of up to 30 digits, so many that travel alone, half of them the prime that takes longest, and `proofs`; shuffled."""
    chance = random.Random(seed)
    chosen = [str(chance.randrange(10 ** chance.randint(1, 30))) for _ in range(count - heavy - len(proofs))]
    chosen += proofs
    chosen += [
        slow(seed + index) if index % 2 else str(chance.randrange(10 ** chance.randint(180, 500)) | 1) for index in range(heavy)
    ]
    chance.shuffle(chosen)
    return chosen


@cache
def to_prove(seed: int) -> str:
    """One of a few primes of 60 digits, above what is proven without a certificate."""
    return gmpy2.next_prime(gmpy2.mpz(10) ** 60 + seed % 8 * 10**6).digits()
