"""What both stacks have: load, cases, and which form runs."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.client import Client, Crowd, numbers

FULL = os.environ.get("CHAOS") == "full"


@dataclass(frozen=True)
class Load:
    """Clients; of each: requests, seconds between two of them, and how many of them travel alone."""

    clients: int
    each: int
    interval: float
    heavy: int

    def crowd(self, url: Callable[[], str]) -> Crowd:
        """Clients that connect where `url` says at the time."""
        return Crowd([Client(f"c{i}", url, numbers(self.each, i, self.heavy), self.interval, i) for i in range(self.clients)])


@dataclass(frozen=True)
class Case:
    """A fault, its name in the table, and the load of the long and of the short form (None: not there)."""

    fault: Callable[[Any, Crowd], None]  # gets the stack that the case is for
    name: str
    long: Load
    short: Load | None
    restarts: bool = False  # whether the fault itself ends processes

    @property
    def load(self) -> Load:
        """Of the form that runs."""
        load = self.long if FULL else self.short
        assert load
        return load


def parametrize(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """The cases of the form that runs."""
    chosen = [pytest.param(case, id=case.name.replace(",", "").replace(" ", "-")) for case in cases if FULL or case.short]
    return pytest.mark.parametrize("case", chosen)


STEADY, BRIEF = Load(100, 50, 0.5, 5), Load(40, 40, 0.25, 4)
MOVING, MOVING_BRIEF = Load(200, 5, 1.0, 1), Load(60, 5, 0.8, 1)
WORKING, WORKING_BRIEF = Load(40, 50, 0.6, 30), Load(40, 20, 0.5, 12)
