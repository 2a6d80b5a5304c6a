"""What the stack is to reach, and whether it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.bench.measurement import Measurement
from tests.bench.ratios import BASE, Spread, Value, alike, excess, paired, ratio, stock_of, values


def _total(m: Measurement) -> float:
    return m.total


def _rate(m: Measurement) -> float:
    return m.rate


def _p50(m: Measurement) -> float:
    return m.p50


def _p99(m: Measurement) -> float:
    return m.p99


def _spread(m: Measurement) -> float | None:
    return m.spread or None


def _memory(m: Measurement) -> float | None:
    return m.memory


def _accepted(m: Measurement) -> float | None:
    return m.accepted


def _commands(m: Measurement) -> float | None:
    return m.commands


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of a value of one case, or of its ratio to, or excess over, that of another case."""

    what: str
    case: str
    value: Value
    bound: float
    side: Literal["most", "least"] = "most"
    unit: str = ""
    base: str = ""  # case to compare with; none: the value itself
    base_row: str = BASE  # row to compare with, for containers the one that is; empty: the same row
    compare: Literal["ratio", "excess"] = "ratio"

    def reached(self, measurements: Sequence[Measurement], row: str) -> Spread | None:
        """What this row reached; None if it was not measured, or cannot be compared with what it was measured beside."""
        of = values(measurements, self.case, row, self.value)
        if not self.base:
            return Spread.of(of.values())
        base_row = stock_of(row) if self.base_row == BASE else row
        if not alike(measurements, row, base_row):
            return None
        to = values(measurements, self.base, base_row, self.value)
        return paired(of, to, ratio if self.compare == "ratio" else excess)

    def met(self, reached: Spread) -> bool:
        """Whether the median is within the bound."""
        return reached.median <= self.bound if self.side == "most" else reached.median >= self.bound


def _loops(clients: int, window: int, plain: float, v1: float, rate: float) -> list[Target]:
    shape = f"{clients}x{window}"
    told = f"{clients} × {window}"
    base = f"plain-{shape}"
    return [
        Target(f"CPU a job, plain, {told}", base, _total, plain, unit=" × stock", base=base),
        Target(f"CPU a job, `primes.v1`, {told}", f"v1-{shape}", _total, v1, unit=" × stock", base=base),
        Target(f"answers a second, plain, {told}", base, _rate, rate, "least", " × stock", base),
        Target(f"worst client's p99 / p50, {told}", base, _spread, 6),
    ]


def _rates(rate: int) -> list[Target]:
    case = f"rate-{rate}"
    return [
        Target(f"p50 at {rate:,} jobs/s, above stock", case, _p50, 1.5, unit=" ms", base=case, compare="excess"),
        Target(f"p99 at {rate:,} jobs/s, above stock", case, _p99, 5, unit=" ms", base=case, compare="excess"),
    ]


# The case of each row is named after it, since each gets servers of its own.
_MEMORY = Target("memory a socket, 10,000 idle", "idle-primes", _memory, 1.1, unit=" × stock", base="idle-stock")

TARGETS: tuple[Target, ...] = (
    *_loops(64, 1, 0.8, 1.2, 1),
    *_loops(256, 1, 0.6, 0.9, 1.5),
    *_loops(16, 32, 0.3, 0.6, 2.5),
    *_rates(200),
    *_rates(1_000),
    _MEMORY,
    Target("sockets accepted a second", "idle-primes", _accepted, 2_000, "least"),
    Target("CPU a job, 10,000 sockets open / 64", "sockets-10000", _total, 1.15, base="sockets-64", base_row=""),
    Target("CPU a job, 100,000 jobs queued / 512", "queue-100k", _total, 1.15, base="queue-512", base_row=""),
    Target("answers a second to an upload of 50 MB", "bulk", _rate, 100_000, "least"),
    Target("Redis commands a job, plain, 16 × 32", "plain-16x32", _commands, 0.2),
)
