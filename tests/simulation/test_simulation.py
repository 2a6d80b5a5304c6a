"""The simulation as a program: it replays, it finds what was mended, and what it found once stays mended."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.draw import draw
from tests.simulation.loop import Loop
from tests.simulation.plan import Fault, Plan, Step
from tests.simulation.shrink import shrink
from tests.simulation.world import TURN, World

ROOT = Path(__file__).parents[2]
FOUND = sorted((ROOT / "tests" / "simulation" / "found").glob("*.json"))


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def digests(*seeds: str) -> list[str]:
    """What histories are known by that one process runs one after the other."""
    return re.findall(r": (.*)", simulate("--digest", "--seed", *seeds).stdout)


@pytest.mark.parametrize("seed", ["7", "7157"])  # in the latter a child draws a base for a number that passes all small ones
def test_a_seed_replays_the_same_history_alone_and_after_others(seed: str) -> None:
    alone = digests(seed)
    assert len(alone) == 1
    assert digests("8", seed, "9", seed)[1::2] == 2 * alone


def test_plans_are_the_same_for_a_seed_and_differ_between_seeds() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_a_plan_is_thinned_out_to_what_it_fails_without() -> None:
    asks = [Step(float(at), 0, "ask", number="7") for at in range(20)]
    stops = [Fault(float(at), "stop", "web-0") for at in range(9)]
    plan = Plan(1, 20.0, 1, 1, 1, asks, stops)
    thin = shrink(plan, lambda each: asks[13] in each.steps and stops[4] in each.faults)
    assert (thin.steps, thin.faults) == ([asks[13]], [stops[4]])


def test_what_a_turn_made_ready_waits_while_that_turn_takes_its_time() -> None:
    world = World(1, pace=1.0)
    no_network: Any = None  # it connects to nothing
    loop = Loop(world, "process", no_network, print)
    times: list[float] = []

    def go_on() -> None:
        times.append(world.now)
        loop.call_soon(go_on)

    loop.call_soon(go_on)
    world.run(20.0)
    assert any(after - before > 100 * TURN for before, after in pairwise(times))


@pytest.mark.parametrize("plan", FOUND, ids=lambda path: path.stem)
def test_what_failed_once_is_mended(plan: Path) -> None:
    told = simulate("--plan", str(plan))
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("mutant", sorted((ROOT / "tests" / "simulation" / "mutants").glob("*.patch")), ids=lambda path: path.stem)
def test_each_mend_can_be_taken_back(mutant: Path) -> None:
    command = ["patch", "--dry-run", "--strip=1", "--input", mutant]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stdout
