"""What both stacks have: load, cases, and which form runs."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pytest

from tests.chaos.client import Client, Crowd, Whims, numbers, to_prove

FULL = os.environ.get("CHAOS") == "full"


@dataclass(frozen=True)
class Load:
    """Clients; of each: requests, seconds between two of them, and how many of them travel alone. Then the share of requests that
    they cancel, and how many of each are to be proven beside the others. Last, the seconds between two pings, if they send any.
    """

    clients: int
    each: int
    interval: float
    heavy: int
    cancels: float = 0.0
    proofs: int = 0
    ping: float | None = None

    def crowd(self, url: Callable[[], str]) -> Crowd:
        """Clients that connect where `url` says at the time."""
        return Crowd([self._client(i, url) for i in range(self.clients)])

    def crowd_of(self, addresses: Sequence[str]) -> Crowd:
        """Clients that know all these addresses: each begins with another one, and goes on to the next whenever it comes back."""
        turns = [cycle([*addresses[i % len(addresses) :], *addresses[: i % len(addresses)]]) for i in range(self.clients)]
        return Crowd([self._client(i, turn.__next__) for i, turn in enumerate(turns)])

    def _client(self, i: int, url: Callable[[], str]) -> Client:
        proofs = [to_prove(i + n) for n in range(self.proofs)]
        asked = numbers(self.each, i, self.heavy, proofs)
        return Client(f"c{i}", url, asked, self.interval, i, Whims(self.cancels, frozenset(proofs), ping=self.ping))


@dataclass(frozen=True)
class Case:
    """A fault, its name in the table, and the load of the long and of the short form (None: not there)."""

    fault: Callable[[Any, Crowd], None]  # gets the stack that the case is for
    name: str
    long: Load
    short: Load | None
    restarts: bool = False  # whether the fault itself ends processes
    bound: int = 300  # seconds of the long form

    @property
    def load(self) -> Load:
        """Of the form that runs."""
        load = self.long if FULL else self.short
        assert load
        return load


def parametrize(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """The cases of the form that runs."""
    chosen = [
        pytest.param(case, id=case.name.replace(",", "").replace(" ", "-"), marks=pytest.mark.timeout(case.bound))
        for case in cases
        if FULL or case.short
    ]
    return pytest.mark.parametrize("case", chosen)


STEADY, BRIEF = Load(100, 50, 0.5, 5), Load(40, 40, 0.25, 4)
MOVING, MOVING_BRIEF = Load(200, 5, 1.0, 1), Load(60, 5, 0.8, 1)
CUT_BRIEF = Load(60, 15, 0.8, 1)  # who is cut off three times asks for far longer than that takes
WORKING, WORKING_BRIEF = Load(40, 50, 0.6, 30), Load(40, 20, 0.5, 12)
# Ten minutes; the short form cancels more, to meet as many moments.
CANCELLING, CANCELLING_BRIEF = Load(40, 4_000, 0.15, 400, 0.07, 20), Load(40, 60, 0.2, 30, 0.3, 2)
