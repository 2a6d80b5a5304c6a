"""Many histories, on all cores, for some time or through some seeds."""

import gc
import os
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from tests.simulation import clock
from tests.simulation.draw import draw
from tests.simulation.history import Outcome, simulate
from tests.simulation.plan import Plan
from tests.simulation.processes import without_the_machine
from tests.simulation.real_redis import RealRedis
from tests.simulation.shrink import shrink

COLLECTED = 25  # histories between two collections of what they left: none runs within a history, so that all are alike


@dataclass(frozen=True, slots=True)
class Failure:
    """A history that failed, and its plan, thinned out."""

    plan: Plan
    violations: list[str]
    seconds: float  # of the machine, from the campaign's beginning


@dataclass(slots=True)
class Tally:
    """What a campaign saw."""

    histories: int = 0
    virtual: float = 0.0  # seconds
    commands: int = 0  # that Redis executed
    seconds: float = 0.0  # of the machine
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Count what another process saw at the same time."""
        self.histories += other.histories
        self.virtual += other.virtual
        self.commands += other.commands
        self.seconds = max(self.seconds, other.seconds)
        self.failures += other.failures


@dataclass(frozen=True, slots=True)
class Share:
    """What one process does of a campaign."""

    first: int  # seed
    step: int  # to the next seed
    seconds: float  # of the machine, after which no history begins
    most: int  # histories
    failures: int  # after which it ends
    expected: str = ""  # what a failure must say so that it counts (a regular expression)
    thin: bool = True  # whether failing plans are thinned out

    def seeds(self) -> Iterator[int]:
        """One after the other, until time is up."""
        until = clock.real_time() + self.seconds
        for index in range(self.most):
            if clock.real_time() > until:
                return
            yield self.first + index * self.step


def explore(share: Share) -> Tally:
    """Run the histories of a share."""
    tally, began = Tally(), clock.real_time()
    _stay_on_one_cpu(share.first)
    without_the_machine()
    with RealRedis() as real:
        gc.collect()
        gc.freeze()
        for seed in share.seeds():
            plan = draw(seed)
            outcome = simulate(plan, real)
            count(tally, outcome)
            if outcome.violations and re.search(share.expected, "\n".join(outcome.violations)):
                seconds = clock.real_time() - began
                thin = shrink(plan, partial(fails_alike, outcome, real)) if share.thin else plan
                tally.failures.append(Failure(thin, outcome.violations, seconds))
                if len(tally.failures) >= share.failures:
                    break
            if tally.histories % COLLECTED == 0:
                gc.collect()
    tally.seconds = clock.real_time() - began
    return tally


def _stay_on_one_cpu(number: int) -> None:
    """With the Redis that is started next: one of the two works at a time, and on one CPU the other is woken in half the time."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[number % len(cpus)]})


def count(tally: Tally, outcome: Outcome) -> None:
    """One more history."""
    tally.histories += 1
    tally.virtual += outcome.virtual
    tally.commands += outcome.commands


def fails_alike(outcome: Outcome, real: RealRedis, plan: Plan) -> bool:
    """Whether a thinner plan fails in one of the same ways."""
    return bool(simulate(plan, real).kinds & outcome.kinds)


def run(shares: list[Share]) -> Tally:
    """Run shares side by side, each in a process of its own, in which strings have the same hash each time."""
    os.environ["PYTHONHASHSEED"] = "0"
    whole = Tally()
    with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
        for tally in pool.map(explore, shares):
            whole.add(tally)
    return whole
