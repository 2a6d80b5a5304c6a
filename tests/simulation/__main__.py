"""Runs histories: `python -m tests.simulation --minutes 1`, or one again: `python -m tests.simulation --seed 7`."""

import argparse
import os
import random
import sys
from pathlib import Path

import msgspec

from tests.seeds import FRESH, of_commit
from tests.simulation.campaign import Failure, Share, Tally, run
from tests.simulation.draw import draw
from tests.simulation.history import simulate
from tests.simulation.plan import Plan
from tests.simulation.processes import without_the_machine
from tests.simulation.real_redis import RealRedis
from tests.simulation.shrink import describe

MOST = 10**6  # histories of one process
KEPT = Path(__file__).with_name("found")  # plans that failed once, one a file


def main() -> int:
    """Run what the command line asks; 1 if a history failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for which histories of fresh seeds are run")
    parser.add_argument(
        "--processes", type=int, default=len(os.sched_getaffinity(0)), help="side by side; one per CPU unless given"
    )
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--first", type=int, help="first seed; drawn unless given")
    begin.add_argument(
        "--commit",
        action="store_true",
        help="first seed by the commit that is checked out, the same for everyone",
    )
    parser.add_argument("--failures", type=int, default=1, help="failing histories after which a process ends")
    parser.add_argument("--seed", type=int, nargs="+", help="run these histories alone")
    parser.add_argument(
        "--digest", action="store_true", help="with --seed: tell what the history is known by, and thin nothing out"
    )
    parser.add_argument("--plan", type=Path, help="run this plan alone")
    parser.add_argument("--found", action="store_true", help="run the plans that failed once")
    parser.add_argument("--expect", default="", metavar="REGEX", help="pass over failures that do not say this")
    parser.add_argument("--quick", action="store_true", help="do not thin out what failed")
    parser.add_argument("--tell", action="store_true", help="tell each command that Redis executes")
    options = parser.parse_args()
    if options.found:
        return run_plans(sorted(KEPT.glob("*.json")), tell=options.tell)
    if options.plan:
        return run_plans([options.plan], tell=options.tell)
    if options.seed and (options.tell or options.digest):
        return run_alone([(f"seed {seed}", draw(seed)) for seed in options.seed], tell=options.tell)
    chosen = of_commit() if options.commit else options.first
    first = random.randrange(FRESH) if chosen is None else chosen
    seeds = options.seed or range(first, first + options.processes)
    step, most = (1, 1) if options.seed else (options.processes, MOST)
    shares = [Share(seed, step, options.minutes * 60, most, options.failures, options.expect, not options.quick) for seed in seeds]
    return tell_tally(seeds[0], run(shares))


def run_plans(files: list[Path], *, tell: bool) -> int:
    """Run plans from files."""
    return run_alone([(file.stem, msgspec.json.decode(file.read_bytes(), type=Plan)) for file in files], tell=tell)


def run_alone(plans: list[tuple[str, Plan]], *, tell: bool) -> int:
    """Run plans in this process, one after the other."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # else sets of strings have another order each time
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    without_the_machine()
    failed = False
    with RealRedis() as real:
        for name, plan in plans:
            outcome = simulate(plan, real, print if tell else None)
            failed |= bool(outcome.violations)
            print(
                f"{name}: {outcome.virtual:.1f} s, {outcome.commands} commands, {outcome.digest}", *outcome.violations, sep="\n  "
            )
    return int(failed)


def tell_tally(first: int, tally: Tally) -> int:
    """What a campaign saw; each failure as a plan of few steps, and how to see it again."""
    for failure in tally.failures:
        tell_failure(failure)
    rate = tally.histories / tally.seconds * 60
    print(
        f"{tally.histories} histories from seed {first} on in {tally.seconds:.1f} s ({rate:.0f} a minute): "
        f"{tally.virtual:,.0f} s of the service, {tally.commands:,} commands, {len(tally.failures)} failed"
    )
    return int(bool(tally.failures))


def tell_failure(failure: Failure) -> None:
    """One of them."""
    print(f"seed {failure.plan.seed} failed after {failure.seconds:.1f} s: python -m tests.simulation --seed {failure.plan.seed}")
    print(*failure.violations, sep="\n", end="\n\n")
    print("Thinned out:", *describe(failure.plan), sep="\n  ")
    print("As a plan (--plan FILE):", msgspec.json.encode(failure.plan).decode(), end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
