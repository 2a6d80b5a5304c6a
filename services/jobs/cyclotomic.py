"""The values of cyclotomic polynomials, as products of x^(n/d)-1 and their inverses over the square-free divisors d of n."""

import math
from functools import lru_cache
from typing import TypeVar

import gmpy2

MOST = 1_000_000  # largest n: the degree is at least an eighth of n up to here, so values of larger ones would have too many digits

_TERM = 16  # factors of a product of numbers of many sizes cost what so many of one size do: measured with Phi(150150,2)

Integer = TypeVar("Integer", int, gmpy2.mpz)


def degree(n: int) -> int:
    """Of the polynomial: Euler's φ(n)."""
    for p in _primes(n):
        n -= n // p
    return n


def evaluate(n: int, x: Integer) -> Integer:
    """The value at x, which is neither 0, 1 nor -1."""
    above = below = x**0
    for d, sign in _divisors(n):
        if sign > 0:
            above *= x ** (n // d) - 1
        else:
            below *= x ** (n // d) - 1
    return above // below


def effort(n: int, bits: float) -> float:
    """What the value at an x of so many bits costs, in bits of sums and products that cost as much."""
    divisors = _divisors(n)
    return bits * sum(n // d for d, _ in divisors) * (1 + len(divisors) / _TERM)


@lru_cache(maxsize=64)
def _divisors(n: int) -> list[tuple[int, int]]:
    """Square-free divisors, at most 128, with 1 for an even number of primes and -1 for an odd one."""
    divisors = [(1, 1)]
    for p in _primes(n):
        divisors += [(d * p, -sign) for d, sign in divisors]
    return divisors


@lru_cache(maxsize=64)
def _primes(n: int) -> list[int]:
    """Those that divide n, by trial division up to its root, which is at most 1,000."""
    found = []
    for p in range(2, math.isqrt(n) + 1):
        if n % p == 0:
            found.append(p)
            while n % p == 0:
                n //= p
    return [*found, n] if n > 1 else found
