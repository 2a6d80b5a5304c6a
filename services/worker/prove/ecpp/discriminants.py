"""Fundamental discriminants of imaginary quadratic fields, made of small primes, by what a curve with them costs."""

import math
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

import gmpy2

# Below these bounds are the primes in the discriminants of each tier: the larger n is, the more orders a step has to see, and each
# prime is one more root modulo n. From tier to tier there are some 1.4 times as many orders. Each table is made in 0.1 to 0.3 s.
TIERS = (130, 200, 320, 500, 800)

# Guesses from what was measured, as are those above.
LARGEST = 1_000_000  # larger ones are costly, and bring few orders
LARGEST_5 = 150_000  # of those that are 5 modulo 8: their invariants are larger than others'
LARGEST_5_3 = 30_000  # of these that 3 divides: they have no other invariant than j
MOST_CLASSES = 300  # a class field of so many takes 0.3 s
MOST_DEGREE = 40  # one n in so many at most has orders for the discriminant

EULER_PRIMES = tuple(p for p in range(2, 40) if gmpy2.is_prime(p))  # enough for class numbers to some 15 %


class Discriminant(NamedTuple):
    """A discriminant, and the estimated degree of its class polynomial over the genus field: one n in so many has curves with it.

    That is one n of those for which each of its signed primes is a square. `primes`: a bit for each of them in PRIMES.
    """

    degree: float
    value: int
    primes: int


def signed(p: int) -> int:
    """p or -p, which is 1 modulo 4, for odd p."""
    return p if p % 4 == 1 else -p


# Each fundamental discriminant is the product of some of these, in one way only.
PRIMES = (-4, 8, -8, *(signed(p) for p in range(3, TIERS[-1]) if gmpy2.is_prime(p)))
_EVEN = 3  # of them


@cache
def table(tier: int) -> tuple[Discriminant, ...]:
    """Those of this tier, and of all before it; small degrees first."""
    count = sum(abs(prime) < TIERS[tier] for prime in PRIMES)
    made = [*multiply(1, 0, 0, _EVEN, count)]
    for bit in range(_EVEN):
        made += multiply(PRIMES[bit], 1 << bit, 1, _EVEN, count)
    return tuple(sorted(made, key=lambda made: (made.degree, -made.value)))


@cache
def groups(tier: int) -> tuple[tuple[int, tuple[Discriminant, ...]], ...]:
    """The table by the two largest primes of each: what has one that is no square modulo n is passed over at once."""
    found: dict[int, list[Discriminant]] = {}
    for known in table(tier):
        highest = 1 << (known.primes.bit_length() - 1)
        rest = known.primes ^ highest
        found.setdefault(highest | 1 << rest.bit_length() >> 1, []).append(known)
    return tuple((primes, tuple(group)) for primes, group in found.items())


def usable(tier: int, primes: int) -> Iterator[Discriminant]:
    """Those of the tier's table that are made of these primes alone, a bit for each."""
    others = ~primes
    return (known for two, group in groups(tier) if not two & others for known in group if not known.primes & others)


def multiply(product: int, primes: int, count: int, start: int, end: int) -> Iterator[Discriminant]:
    """Those that are the product and some of these primes. `count`: of the primes in the product."""
    if -largest(product) <= product < 0:
        classes = estimate_class_number(product)
        degree = max(1.0, classes / (1 << (count - 1)))
        if degree <= MOST_DEGREE and classes <= MOST_CLASSES:
            yield Discriminant(degree, product, primes)
    for bit in range(start, end):
        larger = product * PRIMES[bit]
        if abs(larger) > LARGEST:
            return
        yield from multiply(larger, primes | 1 << bit, count + 1, bit + 1, end)


def largest(discriminant: int) -> int:
    """The bound of discriminants of this kind."""
    if discriminant % 8 != 5:
        return LARGEST
    return LARGEST_5 if discriminant % 3 else LARGEST_5_3


def estimate_class_number(discriminant: int) -> float:
    """By Dirichlet's formula, with the first factors of the Euler product."""
    estimate = math.sqrt(-discriminant) / math.pi
    for p in EULER_PRIMES:
        estimate /= 1 - gmpy2.kronecker(discriminant, p) / p
    return estimate


@lru_cache(maxsize=1 << 16)
def signed_primes(discriminant: int) -> tuple[int, ...]:
    """Those whose product is this fundamental discriminant. Raises ValueError where some are too large."""
    rest, found = discriminant, []
    for prime in PRIMES[_EVEN:]:
        if rest % prime == 0:
            found.append(prime)
            rest //= prime
    if rest in PRIMES[:_EVEN]:
        found.insert(0, rest)
    elif rest != 1:
        raise ValueError(f"expected a product of different signed primes below {TIERS[-1]}, got {discriminant}")
    return tuple(found)
