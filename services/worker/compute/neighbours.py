"""Finds the prime next to an integer, above or below. Pure arithmetic: no I/O, no state."""

import gmpy2

from services.jobs.messages import Verdict
from services.worker.compute.primes import Finding, examine_large

_PRIMES = (Verdict.PRIME, Verdict.PROBABLY_PRIME)
_NONE = Finding(Verdict.NEITHER, "no prime is below 2")


def next_prime(n: gmpy2.mpz) -> tuple[gmpy2.mpz, Finding]:
    """The least prime above n, probable where it cannot be proven cheaply. The gap to it is about ln n on average."""
    if n < 2:
        return gmpy2.mpz(2), examine_large(gmpy2.mpz(2))
    return _search(n + 1 + n % 2, 2)


def previous_prime(n: gmpy2.mpz) -> tuple[gmpy2.mpz | None, Finding]:
    """The greatest prime below n, likewise; None for n <= 2."""
    if n <= 2:
        return None, _NONE
    if n == 3:
        return gmpy2.mpz(2), examine_large(gmpy2.mpz(2))
    return _search(n - 1 - n % 2, -2)


def _search(candidate: gmpy2.mpz, step: int) -> tuple[gmpy2.mpz, Finding]:
    """The first prime from this odd candidate on; most others cost one gcd."""
    while (finding := examine_large(candidate)).verdict not in _PRIMES:
        candidate += step
    return candidate, finding
