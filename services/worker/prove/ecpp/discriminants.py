"""Fundamental discriminants of imaginary quadratic fields, made of small primes, by what a curve with them costs."""

import math
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import gmpy2

# Below these bounds are the primes in the discriminants of each tier: the larger n is, the more orders a step has to see, and each
# prime is one more root modulo n. From tier to tier there are some 1.4 times as many orders.
TIERS = (130, 200, 320, 500, 800)
LAST_TIER = 8000  # the same of the last bounds, of which every number has a discriminant or two for each prime


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
# For numbers that have no successor among these.
LAST = Bounds(20_000_000, 1_000_000, 120_000, 1_000, 120)

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
PRIMES = (-4, 8, -8, *(signed(p) for p in range(3, LAST_TIER) if gmpy2.is_prime(p)))
EVEN = 3  # of them
WITHOUT_ODD = (1, *PRIMES[:EVEN])  # what is left of a discriminant when it was divided by its odd primes
BITS = {prime: bit for bit, prime in enumerate(PRIMES)}


Group = tuple[int, tuple[Discriminant, ...]]  # a bit for the second largest prime of all, or none


@cache
def groups(bit: int) -> tuple[Group, ...]:
    """The usual discriminants whose largest prime is PRIMES[bit].

    What has a second prime that is no square modulo n is passed over at once.
    """
    found: dict[int, list[Discriminant]] = {}
    highest = 1 << bit
    for known in made(bit, range(EVEN, bit), USUAL):
        found.setdefault(1 << (known.primes ^ highest).bit_length() >> 1, []).append(known)
    return tuple((second, tuple(group)) for second, group in found.items())


def usable(bit: int, primes: int) -> Iterator[Discriminant]:
    """Usual ones whose largest prime is PRIMES[bit] and that are made of these primes alone, a bit for each."""
    others = ~primes
    return (known for second, group in groups(bit) if not second & others for known in group if not known.primes & others)


def last(bit: int, primes: int) -> Iterator[Discriminant]:
    """What is usable within the last bounds and was not before. Nothing is kept of it: a table of all would take minutes."""
    odd = [each for each in range(EVEN, bit) if primes >> each & 1]
    seen = USUAL if abs(PRIMES[bit]) < TIERS[-1] else None
    return (known for known in made(bit, odd, LAST, seen) if not known.primes & ~primes)


def made(bit: int, odd: Sequence[int], bounds: Bounds, seen: Bounds | None = None) -> Iterator[Discriminant]:
    """The discriminants whose largest prime is PRIMES[bit], within these bounds and not within those that were seen.

    `odd`: bits of the other odd primes that may be in them, ascending.
    """
    prime, mask = PRIMES[bit], 1 << bit
    yield from multiply(prime, mask, odd, bounds, seen)
    if bit >= EVEN:
        for even in range(EVEN):
            yield from multiply(prime * PRIMES[even], mask | 1 << even, odd, bounds, seen)


def multiply(product: int, primes: int, odd: Sequence[int], bounds: Bounds, seen: Bounds | None) -> Iterator[Discriminant]:
    """Those that are the product and some of the odd primes. `primes`: in the product, a bit for each."""
    if product < 0:
        classes = estimate_class_number(product)
        degree = max(1.0, classes / (1 << (primes.bit_count() - 1)))
        if bounds.admit(product, classes, degree) and not (seen and seen.admit(product, classes, degree)):
            yield Discriminant(degree, product, primes)
    for position, bit in enumerate(odd):
        larger = product * PRIMES[bit]
        if abs(larger) > bounds.largest:
            return
        yield from multiply(larger, primes | 1 << bit, odd[position + 1 :], bounds, seen)


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
            if rest in WITHOUT_ODD:
                break
    if rest not in WITHOUT_ODD:
        raise ValueError(f"expected a product of different signed primes below {LAST_TIER}, got {discriminant}")
    if rest != 1:
        found.insert(0, rest)
    return tuple(found)
