"""Fundamental discriminants of imaginary quadratic fields, made of small primes, by what a curve with them costs."""

import math
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

import gmpy2

# Below these bounds are the primes in the discriminants of each tier: the larger n is, the more orders a step has to see, and each
# prime is one more root modulo n. From tier to tier there are some 1.4 times as many orders.
TIERS = (130, 200, 320, 500, 800)


class Bounds(NamedTuple):
    """Which discriminants are worth a look. Guesses from what was measured, as are the tiers."""

    largest: int  # larger ones are costly, and bring few orders
    largest_5: int  # of those that are 5 modulo 8: their invariants are larger than others'
    largest_5_3: int  # of these that 3 divides: they have no other invariant than j
    classes: int  # a class field of 300 takes 0.3 s
    degree: int  # one n in so many at most has orders for the discriminant

    def admit(self, discriminant: int, classes: float, degree: float) -> bool:
        """Whether it is worth a look."""
        largest = self.largest if discriminant % 8 != 5 else self.largest_5 if discriminant % 3 else self.largest_5_3
        return -discriminant <= largest and classes <= self.classes and degree <= self.degree


USUAL = Bounds(1_000_000, 150_000, 30_000, 300, 40)
# For numbers that have no successor among these: one in 250 of 301 to 344 digits, one in 2,000 with all others.
LAST = Bounds(4_000_000, 600_000, 120_000, 800, 120)

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
EVEN = 3  # of them
BITS = {prime: bit for bit, prime in enumerate(PRIMES)}


Group = tuple[int, tuple[Discriminant, ...]]  # a bit for the second largest prime of all, or none


@cache
def groups(bit: int, last: bool = False) -> tuple[Group, ...]:
    """The discriminants whose largest prime is PRIMES[bit]; `last`: those that are within these bounds alone.

    What has a second prime that is no square modulo n is passed over at once.
    """
    found: dict[int, list[Discriminant]] = {}
    highest = 1 << bit
    usual = {*made(bit, USUAL)} if last else set()
    for known in made(bit, LAST if last else USUAL):
        if not last or known not in usual:
            found.setdefault(1 << (known.primes ^ highest).bit_length() >> 1, []).append(known)
    return tuple((second, tuple(group)) for second, group in found.items())


def usable(bit: int, primes: int, last: bool = False) -> Iterator[Discriminant]:
    """Those whose largest prime is PRIMES[bit] and that are made of these primes alone, a bit for each."""
    others = ~primes
    return (known for second, group in groups(bit, last) if not second & others for known in group if not known.primes & others)


def made(bit: int, bounds: Bounds) -> Iterator[Discriminant]:
    """The discriminants whose largest prime is PRIMES[bit]."""
    prime, mask = PRIMES[bit], 1 << bit
    yield from multiply(prime, mask, EVEN, bit, bounds)
    if bit >= EVEN:
        for even in range(EVEN):
            yield from multiply(prime * PRIMES[even], mask | 1 << even, EVEN, bit, bounds)


def multiply(product: int, primes: int, start: int, end: int, bounds: Bounds) -> Iterator[Discriminant]:
    """Those that are the product and some of the primes of these bits. `primes`: in the product, a bit for each."""
    if product < 0:
        classes = estimate_class_number(product)
        degree = max(1.0, classes / (1 << (primes.bit_count() - 1)))
        if bounds.admit(product, classes, degree):
            yield Discriminant(degree, product, primes)
    for bit in range(start, end):
        larger = product * PRIMES[bit]
        if abs(larger) > bounds.largest:
            return
        yield from multiply(larger, primes | 1 << bit, bit + 1, end, bounds)


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
    for prime in PRIMES[EVEN:]:
        if rest % prime == 0:
            found.append(prime)
            rest //= prime
    if rest in PRIMES[:EVEN]:
        found.insert(0, rest)
    elif rest != 1:
        raise ValueError(f"expected a product of different signed primes below {TIERS[-1]}, got {discriminant}")
    return tuple(found)
