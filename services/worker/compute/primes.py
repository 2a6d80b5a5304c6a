"""Decides whether an integer is prime, and what shows it when it is not. Pure arithmetic: no I/O, no state."""

import math
import random
from collections.abc import Callable
from typing import NamedTuple

import flint
import gmpy2

from services.jobs.evidence import Evidence, Factor, Witness, fails_strong_test
from services.jobs.messages import Factors, Verdict


class Finding(NamedTuple):
    """A verdict and, in a few words, how it was reached; a composite's has evidence."""

    verdict: Verdict
    method: str
    evidence: Evidence | None = None
    factors: Factors | None = None  # where they were searched for


Note = Callable[[Finding], None]

WORD = 2**64

# The 13 smallest primes as bases of the strong probable prime test decide every n below this bound
# (Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2017; OEIS A014233).
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
BASES_BOUND = 3_317_044_064_679_887_385_961_981

# At least 3/4 of all bases are witnesses of any odd composite, so this many misses in a row are a fault of ours (2^-128).
RANDOM_BASES = 64
RANDOM_BASE_BOUND = 2**32  # short to send; too many for anybody to make a number that passes them all

_BASES_PRODUCT = math.prod(BASES)  # 49 bits
_FIRST_PRIMORIAL = gmpy2.primorial(1_000)  # 1,400 bits: a gcd of about 2 µs
_SECOND_PRIMORIAL = gmpy2.primorial(2**16)  # 94,000 bits: a gcd of about 1 ms
_SECOND_FROM = 1_500  # bits of n at which one strong test costs about that much

_NEITHER = Finding(Verdict.NEITHER, "below 2")
_BPSW_PRIME = Finding(Verdict.PRIME, "BPSW, exact below 2^64")
_BASES_PRIME = Finding(Verdict.PRIME, "strong tests to 13 bases, exact below 3.3e24")
_PASSED_BASE_2 = Finding(Verdict.PROBABLY_PRIME, "strong test to base 2")
_PASSED_BPSW = Finding(Verdict.PROBABLY_PRIME, "BPSW")
_PROBABLY = Finding(Verdict.PROBABLY_PRIME, "BPSW and Miller-Rabin")
_FACTORS = [(p, Finding(Verdict.COMPOSITE, "trial division", Factor(p))) for p in BASES]
_BY_BASE_2 = Finding(Verdict.COMPOSITE, "strong test to base 2", Witness(2))


def ignore(_: Finding) -> None:
    """For whoever waits for the last finding alone."""


def examine(number: str, note: Note = ignore) -> Finding:
    """What is known of `number` (canonical decimal) after the cheapest test that decides it.

    `note` is told what is known earlier, where the next test takes long.
    """
    if len(number) <= 20:  # as nearly all are
        n = int(number)
        if n < 2:
            return _NEITHER
        if n < WORD:
            return _examine_word(n)
    return examine_large(gmpy2.mpz(number), note)


def examine_large(n: gmpy2.mpz, note: Note = ignore) -> Finding:
    """The same for an integer of any size that was read already."""
    if n < 2:
        return _NEITHER
    if n < WORD:
        return _examine_word(int(n))
    factor = small_factor(n)
    if factor is not None:
        return Finding(Verdict.COMPOSITE, "trial division", factor)
    if fails_strong_test(n, 2):  # the evidence, and the first half of BPSW, in one
        return _BY_BASE_2
    if n < BASES_BOUND:
        return next((by_witness(base) for base in BASES if fails_strong_test(n, base)), _BASES_PRIME)
    note(_PASSED_BASE_2)
    return _examine_probable(n, note)


def _examine_probable(n: gmpy2.mpz, note: Note) -> Finding:
    """For odd n that passed the strong test to base 2."""
    if not flint.fmpz(int(n)).is_probable_prime():
        return by_witness(find_witness(n))
    note(_PASSED_BPSW)
    base = random_base(n)  # one that nobody knew when the number was made
    return by_witness(base) if fails_strong_test(n, base) else _PROBABLY


def _examine_word(n: int) -> Finding:
    """For 2 <= n < 2^64."""
    common = math.gcd(n, _BASES_PRODUCT)
    if common > 1:
        return next(finding if n > p else _BPSW_PRIME for p, finding in _FACTORS if common % p == 0)
    return _BPSW_PRIME if flint.fmpz(n).is_prime() else by_witness(find_witness(gmpy2.mpz(n)))


def small_factor(n: gmpy2.mpz) -> Factor | None:
    """The least prime factor of n among those that are cheap to try, for n of more than 64 bits."""
    common = gmpy2.gcd(n, _FIRST_PRIMORIAL)
    if common == 1 and n.bit_length() >= _SECOND_FROM:
        common = gmpy2.gcd(n, _SECOND_PRIMORIAL)
    if common == 1:
        return None
    p = gmpy2.mpz(2)
    while common % p:
        p = gmpy2.next_prime(p)
    return Factor(int(p))


def find_witness(n: gmpy2.mpz) -> int:
    """A base to which odd composite n > 4 fails the strong test. Raises ArithmeticError when there seems to be none.

    Small ones first, since they are read most easily; then random ones, because numbers can be made to pass all small ones.
    """
    for base in BASES:
        if fails_strong_test(n, base):
            return base
    for _ in range(RANDOM_BASES):
        base = random_base(n)
        if fails_strong_test(n, base):
            return base
    raise ArithmeticError(f"no witness for a number of {n.bit_length()} bits that was found composite")


def random_base(n: gmpy2.mpz) -> int:
    """A base for odd n > 4 that nobody can foresee."""
    return random.randrange(2, int(min(n - 1, RANDOM_BASE_BOUND)))


def by_witness(base: int) -> Finding:
    """Composite, because this base is a witness."""
    return _BY_BASE_2 if base == 2 else Finding(Verdict.COMPOSITE, f"strong test to base {base}", Witness(base))
