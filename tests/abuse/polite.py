"""A client that asks for little, at a fixed rate, checks every answer and notes what each one took."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import gmpy2

from tests.abuse.line import Socket, Target, request
from tests.bench.open_loop import Waits, draw
from tests.integration.plain_clients import NOT_PRIME, PRIME

SOCKETS = 4  # of each load: nginx gives each web process one
PATIENCE = 30.0  # seconds until an answer counts as lost
PROBE = 1.0  # seconds between two requests of HTTP
# 10^999 and these make primes (OEIS A033874 has the first).
OFFSETS = 7, 663, 2121, 2593, 3561, 4717, 5863


@dataclass(slots=True)
class Load:
    """Questions of one kind, and what became of them: when each was due, and the seconds that it took."""

    name: str
    questions: Iterator[tuple[str, str]]
    rate: float  # a second
    answered: list[tuple[float, float]] = field(default_factory=list)
    asked: int = 0

    def waits(self, since: float, until: float) -> Waits:
        """Those that were due in this time."""
        return Waits([took for due, took in self.answered if since <= due < until])


def thousand_digits() -> Iterable[tuple[str, str]]:
    """Primes of 1,000 digits."""
    return [((gmpy2.mpz(10) ** 999 + offset).digits(), PRIME) for offset in OFFSETS]


def new_numbers() -> Iterator[tuple[str, str]]:
    """Numbers of 12 digits that nobody asked for before."""
    for number in itertools.count(time.time_ns() % 10**11 + 10**11):
        yield str(number), PRIME if gmpy2.is_prime(number) else NOT_PRIME


class Polite:
    """Three loads over sockets that stay open, and a request and an upload each second."""

    def __init__(self, target: Target) -> None:
        self.loads = [
            Load("cheap", itertools.cycle(draw(6)), 40),
            Load("12 digits", new_numbers(), 40),
            Load("1,000 digits", itertools.cycle(thousand_digits()), 3),
        ]
        self.told: Counter[str] = Counter()  # what was no right answer
        self._target = target

    async def run(self, until: float) -> None:
        """Ask until then (time.monotonic()), and wait for what is open."""
        await asyncio.gather(*(self._ask(load, until) for load in self.loads), self._probe(until))

    async def _ask(self, load: Load, until: float) -> None:
        sockets = [await Socket.open(self._target) for _ in range(SOCKETS)]
        queues: list[deque[tuple[float, str]]] = [deque() for _ in sockets]
        readers = [asyncio.create_task(self._read(load, *pair)) for pair in zip(sockets, queues, strict=True)]
        start = time.monotonic()
        for n in itertools.count():
            due = start + n / load.rate
            if due >= until:
                break
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            number, answer = next(load.questions)
            queues[n % SOCKETS].append((due, answer))
            load.asked += 1
            await sockets[n % SOCKETS].send(number.encode())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while any(queues) and not all(reader.done() for reader in readers):  # noqa: ASYNC110  # either may end it
                    await asyncio.sleep(0.01)
        for socket, reader in zip(sockets, readers, strict=True):
            reader.cancel()
            socket.close()
        for lost in itertools.chain(*queues):
            load.answered.append((lost[0], PATIENCE))
            self.told[f"lost: {load.name}"] += 1

    async def _read(self, load: Load, socket: Socket, queue: deque[tuple[float, str]]) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                message = (await socket.receive()).decode()
                due, answer = queue.popleft()
                load.answered.append((due, time.monotonic() - due))
                if message != answer:
                    self.told[message[:40]] += 1

    async def _probe(self, until: float) -> None:
        """Over HTTP it is never refused either."""
        while time.monotonic() < until:
            for head, body, expected in (
                ("GET /primes/97 HTTP/1.0", b"", b'"prime"'),
                ("POST /jobs HTTP/1.0\r\nContent-Type: text/plain", b"97\n", b'"prime"'),
            ):
                name = head.partition(" HTTP")[0]
                try:
                    async with asyncio.timeout(PATIENCE):
                        status, answer = await request(self._target, head, body)
                except (OSError, EOFError) as error:
                    self.told[f"{name}: {type(error).__name__}"] += 1
                    continue
                if status != 200 or expected not in answer:
                    self.told[f"{name}: {status}"] += 1
            await asyncio.sleep(PROBE)
