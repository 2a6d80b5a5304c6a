"""Asks for short proofs, one after the other, beside long ones of another socket that keep every usual prover busy."""

import random
import time
from dataclasses import dataclass, field
from typing import Any, Self

import gmpy2

from tests.bench.open_loop import Waits
from tests.integration.v1_clients import RpcClient

# Primes of 1,000 digits: a proof of each takes a minute or more, and there are as many as four workers with one prover each need.
LONG = [(gmpy2.mpz(10) ** 999 + n).digits() for n in (7, 663, 2121, 2593)]

PATIENCE = 120.0  # seconds until a verdict or a proof counts as lost


@dataclass
class Told:
    """Seconds from each question to its first verdict, and to its proof."""

    verdicts: Waits = field(default_factory=Waits)
    proofs: Waits = field(default_factory=Waits)

    def __add__(self, other: Self) -> "Told":
        return Told(self.verdicts + other.verdicts, self.proofs + other.proofs)


class LongProofs:
    """One socket that has asked for long proofs, until the block is left, which cancels them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = RpcClient()

    async def __aenter__(self) -> Self:
        await self._client.connect(self._url)
        for id, number in enumerate(LONG):
            await _ask(self._client, id, number)
        await self._client.until(lambda: len(self._client.verdicts) == len(LONG), "the first verdicts of long proofs", PATIENCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        for id in self._client.unanswered:
            await self._client.cancel(id)
        await self._client.close()


async def ask(url: str, digits: int, count: int) -> Told:
    """So many proofs of primes of so many digits that nobody asked for before, since answers are kept."""
    told = Told()
    client = await RpcClient().connect(url)
    for id in range(count):
        number = gmpy2.next_prime(gmpy2.mpz(random.SystemRandom().randrange(10 ** (digits - 1), 9 * 10 ** (digits - 1)))).digits()
        told.verdicts.asked += 1
        told.proofs.asked += 1
        started = time.monotonic()
        await _ask(client, id, number)
        await client.until(lambda: _ended(client, id) or client.verdicts[id:], "the first verdict", PATIENCE)  # noqa: B023  # waited for in this very turn
        told.verdicts.seconds.append(time.monotonic() - started)
        await client.until(lambda: _ended(client, id), "the proof", PATIENCE)  # noqa: B023  # waited for in this very turn
        told.proofs.seconds.append(time.monotonic() - started)
        told.proofs.wrong += not (id in client.answers and client.answers[id][0]["proven"])
    await client.close()
    return told


async def _ask(client: RpcClient, id: Any, number: str) -> None:
    client.numbers[id] = number
    await client.send({"id": id, "method": "is_prime", "params": {"number": number, "proof": True}})


def _ended(client: RpcClient, id: int) -> bool:
    """Whether a request has its answer or was refused."""
    return id in client.answers or any(error["id"] == id for error in client.errors)
