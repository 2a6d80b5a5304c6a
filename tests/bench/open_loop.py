"""Asks at a fixed rate, whatever comes back, and checks every answer: a slow server cannot slow the questions down."""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Self

import gmpy2
from websockets.asyncio.client import ClientConnection, connect

from tests.integration.plain_clients import NOT_PRIME, PRIME

SOCKETS = 8  # replies on one socket come in order; several show what clients wait that have nothing to do with each other
DRAWN = 2_000  # different numbers
PATIENCE = 30  # seconds until an answer counts as lost


@dataclass
class Waits:
    """Seconds from the moment at which each question was meant to be sent to its answer."""

    seconds: list[float] = field(default_factory=list)
    asked: int = 0
    wrong: int = 0

    def __add__(self, other: Self) -> "Waits":
        return Waits(self.seconds + other.seconds, self.asked + other.asked, self.wrong + other.wrong)

    @property
    def lost(self) -> int:
        return self.asked - len(self.seconds)

    def quantile(self, share: float) -> float:
        """The least wait that so large a share of the questions did not exceed."""
        ordered = sorted(self.seconds)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def draw(digits: int) -> list[tuple[str, str]]:
    """Numbers with their answers, half of them primes, the same in every run."""
    pseudo = random.Random(digits)
    drawn = [gmpy2.mpz(pseudo.randrange(10 ** (digits - 1), 10**digits)) for _ in range(DRAWN)]
    drawn[::2] = [gmpy2.next_prime(n) for n in drawn[::2]]
    return [(n.digits(), PRIME if gmpy2.is_prime(n) else NOT_PRIME) for n in drawn]


async def ask(url: str, questions: Sequence[tuple[str, str]], rate: float, seconds: float) -> Waits:
    """`rate` questions a second, for so many seconds, over several sockets in turn; returns when all are answered."""
    waits = Waits()
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(connect(url, compression=None, ping_interval=None, max_size=None))
            for _ in range(SOCKETS)
        ]
        count = int(rate * seconds)
        queues: list[deque[tuple[float, str]]] = [deque() for _ in sockets]
        readers = [
            asyncio.create_task(_read(socket, queue, len(range(first, count, SOCKETS)), waits))
            for first, (socket, queue) in enumerate(zip(sockets, queues, strict=True))
        ]
        start = time.monotonic() + 0.1
        for index in range(count):
            due = start + index / rate
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            number, answer = questions[index % len(questions)]
            queues[index % SOCKETS].append((due, answer))
            waits.asked += 1
            await sockets[index % SOCKETS].send(number)
        _, late = await asyncio.wait(readers, timeout=PATIENCE)
        for reader in late:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    return waits


async def _read(socket: ClientConnection, queue: deque[tuple[float, str]], count: int, waits: Waits) -> None:
    for _ in range(count):
        message = await socket.recv()
        due, answer = queue.popleft()
        waits.seconds.append(time.monotonic() - due)
        waits.wrong += message != answer
