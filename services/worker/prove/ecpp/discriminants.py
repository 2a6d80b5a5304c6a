"""Fundamental discriminants of imaginary quadratic fields, made of small primes, by what a curve with them costs."""

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import gmpy2

# A guess from what was measured: beyond these bounds more discriminants come in than any step needs.
LARGEST_PRIME = 200
LARGEST = 1_000_000
LARGEST_5 = 150_000  # of those that are 5 modulo 8: their invariants are larger than others'
LARGEST_5_3 = 30_000  # of these that 3 divides: they have no other invariant than j
MOST_DEGREE = 24  # of a class polynomial over the genus field

EULER_PRIMES = tuple(p for p in range(2, 70) if gmpy2.is_prime(p))  # enough for class numbers to some 10 %


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
PRIMES = (-4, 8, -8, *(signed(p) for p in range(3, LARGEST_PRIME) if gmpy2.is_prime(p)))
_EVEN = 3  # of them


@cache
def table() -> tuple[Discriminant, ...]:
    """All within the bounds, those of small degree first; made in some 0.2 s."""
    made = [*multiply(1, 0, 0, _EVEN)]
    for bit in range(_EVEN):
        made += multiply(PRIMES[bit], 1 << bit, 1, _EVEN)
    return tuple(sorted(made, key=lambda made: (made.degree, -made.value)))


def multiply(product: int, primes: int, count: int, start: int) -> Iterator[Discriminant]:
    """Those that are the product and primes from `start` on. `count`: of the primes in the product."""
    if -largest(product) <= product < 0:
        degree = max(1.0, estimate_class_number(product) / (1 << (count - 1)))
        if degree <= MOST_DEGREE:
            yield Discriminant(degree, product, primes)
    for bit in range(start, len(PRIMES)):
        larger = product * PRIMES[bit]
        if abs(larger) > LARGEST:
            return
        yield from multiply(larger, primes | 1 << bit, count + 1, bit + 1)


def largest(discriminant: int) -> int:
    """The bound of discriminants of this kind."""
    if discriminant % 8 != 5:
        return LARGEST
    return LARGEST_5 if discriminant % 3 else LARGEST_5_3


@cache
def degrees() -> dict[int, float]:
    """The estimated degree of each in the table."""
    return {made.value: made.degree for made in table()}


def estimate_class_number(discriminant: int) -> float:
    """By Dirichlet's formula, with the first factors of the Euler product."""
    estimate = math.sqrt(-discriminant) / math.pi
    for p in EULER_PRIMES:
        estimate /= 1 - gmpy2.kronecker(discriminant, p) / p
    return estimate


@cache
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
        raise ValueError(f"expected a product of different signed primes below {LARGEST_PRIME}, got {discriminant}")
    return tuple(found)
