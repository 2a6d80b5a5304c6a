"""Certificates of numbers of up to some hundred digits by prime factors of N-1 and N+1 that FLINT finds within milliseconds.

Half of all primes of forty digits have a neighbour that is a product of small primes and one large one.
"""

from collections.abc import Iterable

import flint
import gmpy2
from gmpy2 import mpz

from certificates.small import BASES_BOUND
from services.worker.prove.factored import WORD, Part, combine, enough, greatest_first, third_of

# Bits of the factors that are searched for, one after another as far as it takes, by the bits that n has at most: what comes
# next takes longer than what it saves of proofs by curves. All four take some 10 ms at 39 digits, the first one 0.3 ms at any size.
STAGES = ((130, (15, 20, 24, 28)), (170, (15, 20, 24)), (1_000, (15,)))

# The same to factor a number of 82 bits: what the first one misses, one time in a hundred, the next one finds.
WHOLE = (41, 45, 50)

MOST_BASE = 100  # of a factor p of n - 1: where n is prime, all numbers but one in p are bases
DEEPEST = 8  # certificates within each other: each is for a number of less than half of the digits, as a rule


class Neighbour:
    """What is known of the factors of n - 1 or n + 1, ever more."""

    def __init__(self, m: mpz) -> None:
        self.small: list[Part] = []  # primes below 3.3e24, each with its highest power that divides m
        self.large: list[Part] = []  # probable primes above
        self._rest = m  # what is not factored

    def search(self, bits: int) -> None:
        """Look for factors of so many bits, and whether what is left is a prime."""
        if self._rest > 1:
            self._sort(flint.fmpz(int(self._rest)).factor_smooth(bits))

    def factor(self) -> None:
        """Find all of them, of a number below 3.3e24 within some ten milliseconds.

        Not by FLINT's way to factor anything, whose sieve keeps a file in /tmp: it ends the process where that cannot be written.
        """
        for bits in WHOLE:
            self.search(bits)

    def _sort(self, found: Iterable[tuple[flint.fmpz, int]]) -> None:
        self._rest = mpz(1)
        for factor, exponent in found:
            p = mpz(int(factor))
            if not factor.is_probable_prime():
                self._rest *= p**exponent
            else:
                (self.small if p < BASES_BOUND else self.large).append((p, p**exponent))


def certify(n: mpz) -> bytes:
    """The text of a certificate that nobody has checked, for odd n > 3 that passed the tests; empty for too few factors."""
    minus, plus = Neighbour(n - 1), Neighbour(n + 1)
    for bits in _stages(n):
        minus.search(bits)
        if text := _by_predecessor(n, minus, 0):
            return text.encode()
        plus.search(bits)
        if combined := combine(n, greatest_first(minus.small), greatest_first(plus.small)):
            return combined
    return b""


def _stages(n: mpz) -> tuple[int, ...]:
    return next((stages for bits, stages in STAGES if n.bit_length() <= bits), ())


def _by_predecessor(n: mpz, minus: Neighbour, depth: int) -> str:
    """The text by the factors of n - 1; empty where they are too few, or one that is needed is not proven."""
    for parts in (minus.small, minus.large):  # one large prime is enough, or none is
        chosen = enough(greatest_first(parts), third_of(n))
        items = [_item(n, p, depth) for p in chosen]
        if items and all(items):
            return f"[{n}, [{', '.join(items)}]]"
    return ""


def _item(n: mpz, p: mpz, depth: int) -> str:
    """A prime factor of n - 1 as it stands in a certificate, above 2^64 with a certificate of its own; empty for none."""
    if p < WORD:
        return str(p)
    base = next((a for a in range(2, MOST_BASE) if gmpy2.gcd(gmpy2.powmod(a, (n - 1) // p, n) - 1, n) == 1), None)
    certificate = _nested(p, depth + 1) if base else ""
    return f"[{p}, {base}, {certificate}]" if certificate else ""


def _nested(p: mpz, depth: int) -> str:
    """The certificate of a factor."""
    minus = Neighbour(p - 1)
    if p < BASES_BOUND:
        minus.factor()
        return _by_predecessor(p, minus, depth)
    for bits in _stages(p) if depth < DEEPEST else ():
        minus.search(bits)
        if text := _by_predecessor(p, minus, depth):
            return text
    return ""
