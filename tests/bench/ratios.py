"""Compares rows that ran side by side: within one repetition, since a shared machine's speed drifts within minutes."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.bench.measurement import Measurement

Value = Callable[[Measurement], float | None]

BASE, CONTAINERS_BASE = "stock", "compose-stock"
CONTAINERS = ("compose", CONTAINERS_BASE)  # rows that are; all others are processes of this machine


@dataclass(frozen=True, slots=True)
class Spread:
    """Of repetitions."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        """None of no values."""
        found = list(values)
        return cls(statistics.median(found), min(found), max(found)) if found else None


def values(measurements: Iterable[Measurement], case: str, row: str, value: Value) -> dict[int, float]:
    """By repetition."""
    found = ((m.repetition, value(m)) for m in measurements if (m.case, m.row) == (case, row))
    return {repetition: told for repetition, told in found if told is not None}


def stock_of(row: str) -> str:
    """The row of stock Tornado that this one is compared with: containers with containers."""
    return CONTAINERS_BASE if row in CONTAINERS else BASE


def alike(measurements: Iterable[Measurement], row: str, base: str) -> bool:
    """Whether both were measured, on one interpreter: others are not compared."""
    runtimes = {m.row: m.runtime for m in measurements if m.row in (row, base)}
    return {row, base} <= runtimes.keys() and runtimes[row] == runtimes[base]


def paired(of: dict[int, float], to: dict[int, float], compare: Callable[[float, float], float]) -> Spread | None:
    """Each repetition's value compared with that of the same repetition; repetitions that lack one are left out."""
    return Spread.of(compare(of[repetition], to[repetition]) for repetition in sorted(of.keys() & to.keys()))


def ratio(of: float, to: float) -> float:
    """How many times."""
    return of / to


def excess(of: float, to: float) -> float:
    """How much more."""
    return of - to
