"""Certificates by the prime factors of N-1 and N+1 that are found at little cost: by trial division, and in the number's own form.

k*b^n+1, k*b^n-1, n!+1, n#-1, 2^p-1 and their like are proven so at any size: what makes up N-1 or N+1 is small, or stands there.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import flint
import gmpy2
from gmpy2 import mpz

from certificates.text import MOST_DIGITS
from services.jobs.sizes import Node

TRIED_UP_TO = 1 << 17  # factors: beyond the primorials and factorials that 50,000 digits hold; some 10 ms at 1,000 digits

LARGEST_HINT = 1 << 80  # what is below it in an expression is factored within 30 ms
WORD = mpz(1) << 64  # a prime below it stands in a certificate as it is: PARI wants one of its own for others

Part = tuple[mpz, mpz]  # a prime and its highest power in a number


def certify(n: mpz, hints: Iterable[int] = ()) -> bytes:
    """The text of a certificate that nobody has checked, for odd n that passed the tests; empty where too few factors are found.

    `hints`: primes that may divide n - 1 or n + 1.
    """
    if len(gmpy2.digits(n)) > MOST_DIGITS:
        return b""
    tried = frozenset(hints)
    minus = find(n - 1, tried)
    return by_predecessor(n, minus) or combine(n, minus, find(n + 1, tried))


def combine(n: mpz, minus: Sequence[Part], plus: Sequence[Part]) -> bytes:
    """The text by factors of n + 1, or by those of both neighbours; empty where they are too few."""
    if chosen := enough(plus, third_of(n)):
        return f"[{n}, [], [{listed(chosen)}]]".encode()
    known = math.prod((power for _, power in minus), start=mpz(1))
    # Both neighbours are even: the least common multiple of their parts is half of the product.
    if minus and (chosen := enough(plus, 2 * (gmpy2.isqrt(n) + 1) // known + 1)):
        return f"[{n}, [{listed(sorted(p for p, _ in minus))}], [{listed(chosen)}]]".encode()
    return b""


def third_of(n: mpz) -> mpz:
    """What the factors of a neighbour must make up, its cube root."""
    return gmpy2.iroot(n, 3)[0] + 1


def by_predecessor(n: mpz, minus: Sequence[Part] | None = None) -> bytes:
    """The text by factors of n - 1 alone, which are given or found here; empty where they are too few."""
    chosen = enough(find(n - 1, ()) if minus is None else minus, third_of(n))
    return f"[{n}, [{listed(chosen)}]]".encode() if chosen else b""


def enough(parts: Sequence[Part], least: mpz) -> list[mpz]:
    """Primes whose powers make up `least`, as few as possible; none if there are not enough."""
    product = mpz(1)
    chosen = []
    for p, power in parts:
        product *= power
        chosen.append(p)
        if product >= least:
            return sorted(chosen)
    return []


def listed(primes: Iterable[mpz]) -> str:
    """Primes as they stand in a certificate."""
    return ", ".join(map(str, primes))


def find(m: mpz, hints: Iterable[int]) -> list[Part]:
    """Primes below WORD that divide m, each with its highest power that does, the greatest power first."""
    parts = {}
    for p in (*divisors(m), *hints):
        rest, count = gmpy2.remove(m, p)
        if count:
            parts[mpz(p)] = m // rest
    return greatest_first(parts.items())


def greatest_first(parts: Iterable[Part]) -> list[Part]:
    """By the powers."""
    return sorted(parts, key=lambda part: part[1], reverse=True)


def divisors(m: mpz) -> Iterator[mpz]:
    """The small primes that divide m."""
    common = gmpy2.gcd(m, _primorial())
    p = mpz(1)
    while common > 1:
        p = gmpy2.next_prime(p)
        if common % p == 0:
            common //= p
            yield p


@lru_cache(maxsize=1)
def _primorial() -> mpz:
    return gmpy2.primorial(TRIED_UP_TO)


def hints(tree: Node) -> set[int]:
    """The primes in an expression's own numbers: its bases are what makes up a neighbour of k*b^n+1 or k*b^n-1.

    Larger numbers are not factored: that could take for ever.
    """
    found: set[int] = set()
    if tree.value is not None and 1 < tree.value < LARGEST_HINT and not (tree.operator and tree.operator in "^!#"):
        found.update(p for p in (int(factor) for factor, _ in flint.fmpz(tree.value).factor()) if p < WORD)
    for operand in tree.operands:
        found |= hints(operand)
    return found
