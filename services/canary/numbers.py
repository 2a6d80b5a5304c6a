"""Numbers that nobody has asked for, so that no kept answer stands in for a computation, and that are known all the same.

No I/O.
"""

import math
from random import Random

PRIME = 2**61 - 1
LARGE_PRIME = 2**521 - 1
LEAST, MOST = 2**58, 2**59  # bounds of what is drawn: too many to meet one again, and twice each is below PRIME


def fresh_prime(draw: Random) -> int:
    """A prime of 37 digits: too large for an exact test, so that it has to be proven, and small, so that this takes little."""
    while True:
        half = draw.randrange(LEAST, MOST)
        if is_prime_by(PRIME, half):
            return 2 * half * PRIME + 1


def fresh_composite(draw: Random) -> int:
    """A composite of 194 digits without a small factor: a test of a few milliseconds shows it."""
    return LARGE_PRIME * fresh_prime(draw)


def is_prime_by(prime: int, half: int) -> bool:
    """Whether Pocklington's criterion, to base 2, proves n = 2 · half · prime + 1 to be prime; needs 2 · half < prime.

    Every prime factor of n is then 1 modulo `prime`, hence above the square root of n. No composite passes, and few primes fail.
    """
    n = 2 * half * prime + 1
    power = pow(2, 2 * half, n)
    return pow(power, prime, n) == 1 and math.gcd(power - 1, n) == 1
