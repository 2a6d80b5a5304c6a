"""What is asked: random odd integers, of 64 bits or of so many digits, each with its verdict."""

import random
from pathlib import Path

from flint import fmpz

COUNT = 100_000  # as many as are ever in flight: a run asks them in turn, so that no two clients wait for the same number
SEED = 64  # the same numbers in every run, so that runs can be compared


def draw(count: int, seed: int, digits: int | None = None) -> list[int]:
    """Odd integers below 2^64, or of so many decimal digits."""
    source = random.Random(seed)
    if digits is None:
        return [source.getrandbits(64) | 1 for _ in range(count)]
    return [source.randrange(10 ** (digits - 1), 10**digits) | 1 for _ in range(count)]


def is_prime(number: int) -> bool:
    """Proven: FLINT's test has no exception below 2^64."""
    return bool(fmpz(number).is_prime())


def write(path: Path, count: int = COUNT, seed: int = SEED, digits: int | None = None) -> Path:
    """The file that the load generator reads: a number and 1 or 0 a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{number} {is_prime(number):d}\n" for number in draw(count, seed, digits)))
    return path
