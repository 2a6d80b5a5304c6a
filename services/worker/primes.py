"""Decides whether an integer is prime. Pure arithmetic: no I/O, no state."""

from typing import NamedTuple

import flint
import gmpy2

from services.jobs.messages import Verdict


class Finding(NamedTuple):
    """A verdict and, in a few words, how it was reached."""

    verdict: Verdict
    method: str


# The 13 smallest primes as bases of the strong probable prime test decide every n below this bound
# (Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2017; OEIS A014233).
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
BASES_BOUND = 3_317_044_064_679_887_385_961_981

ROUNDS = 25  # of gmpy2.is_prime: Baillie–PSW and one more Miller–Rabin round

_NEITHER = Finding(Verdict.NEITHER, "below 2")
_BPSW_PRIME = Finding(Verdict.PRIME, "BPSW, exact below 2^64")
_BPSW_COMPOSITE = Finding(Verdict.COMPOSITE, "BPSW, exact below 2^64")
_BASES_PRIME = Finding(Verdict.PRIME, "strong tests to 13 bases, exact below 3.3e24")
_BASES_COMPOSITE = Finding(Verdict.COMPOSITE, "strong tests to 13 bases, exact below 3.3e24")
_PROBABLY = Finding(Verdict.PROBABLY_PRIME, "BPSW and Miller-Rabin")
_COMPOSITE = Finding(Verdict.COMPOSITE, "BPSW and Miller-Rabin")


def examine(number: str) -> Finding:
    """What is known of `number` (canonical decimal) after the cheapest test that decides it."""
    if len(number) < 20:  # below 10^19 and so below 2^64; a negative number is below 2 anyway
        n = int(number)
        if n < 2:
            return _NEITHER
        return _BPSW_PRIME if flint.fmpz(n).is_prime() else _BPSW_COMPOSITE
    return examine_large(gmpy2.mpz(number))


def examine_large(n: gmpy2.mpz) -> Finding:
    """The same for an integer of 20 digits or more."""
    if n < 2:
        return _NEITHER
    if n.bit_length() <= 64:
        return _BPSW_PRIME if flint.fmpz(int(n)).is_prime() else _BPSW_COMPOSITE
    if n < BASES_BOUND:
        strong = all(n % base and gmpy2.is_strong_prp(n, base) for base in BASES)
        return _BASES_PRIME if strong else _BASES_COMPOSITE
    return _PROBABLY if gmpy2.is_prime(n, ROUNDS) else _COMPOSITE
