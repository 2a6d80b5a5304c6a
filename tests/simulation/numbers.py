"""The numbers that clients of the simulation ask."""

from random import Random

import gmpy2

HEAVY = [gmpy2.next_prime(gmpy2.mpz(10) ** (120 + index)).digits() for index in range(6)]
_COMPOSITE = [(gmpy2.mpz(10) ** (115 + index) * 2 + 1).digits() for index in range(4)]


def draw_heavy(chance: Random) -> str:
    """One that nobody else asks."""
    return str(chance.randrange(10**119, 10**120) | 1)


def draw_number(chance: Random, heavy: float) -> str:
    """A heavy one with this probability, else one of up to 30 digits."""
    if chance.random() < heavy:
        return draw_heavy(chance) if chance.random() < 0.2 else chance.choice(HEAVY + _COMPOSITE)
    return str(chance.randrange(10 ** chance.randint(1, 30)))
