"""Tries the readers with inputs that no run before had: `python -m tests.fuzz --minutes 1`, or those of one seed again."""

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.seeds import FRESH, of_commit

FOLDER = Path(__file__).parent
STEP = 7_919  # between the seeds of two rounds: that of the next commit is not likely to be among them


def main() -> int:
    """Rounds of fresh seeds until the time is over or one fails; 1 if one did."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for which rounds are begun")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--commit", action="store_true", help="first seed by the commit that is checked out, the same for everyone")
    begin.add_argument("--seed", type=int, help="run the round of this seed alone")
    options = parser.parse_args()
    if options.seed is not None:
        return run(options.seed)
    seed = first = of_commit() if options.commit else random.randrange(FRESH)
    end, rounds = time.monotonic() + options.minutes * 60, 0
    while time.monotonic() < end:
        if status := run(seed):
            print(f"seed {seed} failed: python -m tests.fuzz --seed {seed}")
            return status
        seed, rounds = (seed + STEP) % FRESH, rounds + 1
    print(f"{rounds} rounds from seed {first} on, each {STEP} above the one before")
    return 0


def run(seed: int) -> int:
    """One round, in a process of its own: what one input leaves behind is no part of the next round."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        f"--hypothesis-seed={seed}",
        str(FOLDER),
    ]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
