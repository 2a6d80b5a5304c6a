"""Keeps many large numbers waiting, so that every worker is busy with them, and checks every answer."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from typing import Self

import gmpy2
from websockets.asyncio.client import connect

from tests.integration.plain_clients import NOT_PRIME

SOCKETS = 4
HALVES = 20  # of each kind: 400 products
SMALL = gmpy2.primorial(2**16)  # its primes are those of trial division


class Flood:
    """Clients that replace each large number that was answered by another, until `close`, which cancels what waits."""

    def __init__(self, url: str, numbers: Sequence[str], waiting: int) -> None:
        self.answered = 0
        self.wrong = 0
        self._url = url
        self._numbers = itertools.cycle(numbers)
        self._waiting = waiting  # numbers that are asked and not answered, always
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(SOCKETS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        if failed := [one for one in outcomes if isinstance(one, Exception)]:
            raise failed[0]

    async def _ask(self) -> None:
        async with connect(self._url, compression=None, ping_interval=None) as socket:
            for _ in range(self._waiting // SOCKETS):
                await socket.send(next(self._numbers))
            async for answer in socket:
                self.answered += 1
                self.wrong += answer != NOT_PRIME
                await socket.send(next(self._numbers))
        raise ConnectionError(f"the flood's socket was closed: {socket.close_code}")


def composites(digits: int) -> list[str]:
    """Composites that no trial division finds, the same in every run: products of numbers without small factors."""
    pseudo = random.Random(digits)

    def half(digits: int) -> gmpy2.mpz:
        while True:
            n = gmpy2.mpz(pseudo.randrange(4 * 10 ** (digits - 1), 10**digits))  # two such have together all the digits
            if gmpy2.gcd(n, SMALL) == 1:
                return n

    short, long = ([half(size) for _ in range(HALVES)] for size in (digits // 2, digits - digits // 2))
    products = [(a * b).digits() for a in short for b in long]
    pseudo.shuffle(products)
    return products
