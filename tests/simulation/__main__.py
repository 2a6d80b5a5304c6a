"""Runs histories: `python -m tests.simulation --minutes 1`, or one again: `python -m tests.simulation --seed 7`."""

import argparse
import gc
import sys

from tests.simulation import clock
from tests.simulation.history import simulate
from tests.simulation.plan import draw
from tests.simulation.processes import without_the_machine
from tests.simulation.real_redis import RealRedis


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--tell", action="store_true")
    a = parser.parse_args()
    without_the_machine()
    with RealRedis() as real:
        began = clock.real_time()
        gc.freeze()
        seeds = [a.seed] if a.seed is not None else range(a.first, a.first + a.count)
        virtual = 0.0
        commands = 0
        for seed in seeds:
            outcome = simulate(draw(seed), real, print if a.tell else None)
            virtual += outcome.virtual
            commands += outcome.commands
            if outcome.violations or a.seed is not None:
                print(seed, outcome.digest, f"{outcome.virtual:.1f}", outcome.turns, outcome.violations, flush=True)
            if seed % 20 == 0:
                gc.collect()
        took = clock.real_time() - began
        print(f"{len(seeds)} in {took:.1f} s, {len(seeds) / took * 60:.0f} a minute, {virtual:.0f} virtual s, {commands} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
