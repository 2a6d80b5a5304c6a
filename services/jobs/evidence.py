"""What shows that a verdict is right, small enough to send and to check by hand. Pure arithmetic."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec


# Tagged, so that one field of a message may hold either. New fields go last and have a default, as in messages.py.
class Factor(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="factor"):
    """A divisor of the number between 1 and the number itself; below 2^64."""

    factor: int


class Witness(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="witness"):
    """A base, below 2^64, to which the number fails the strong probable prime test: no prime fails it to any base."""

    base: int


class CertificateName(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="certificate"):
    """A certificate that the number is prime, verified and kept for a while under its SHA-256 (hexadecimal)."""

    sha256: str


Evidence = Factor | Witness | CertificateName


@lru_cache(maxsize=1_000)  # most composites have one of a few
def describe(evidence: Evidence) -> Mapping[str, str]:
    """The JSON form, the same for every protocol: {"factor": "7"}, {"witness": "2"} or {"certificate": "9f86…"}."""
    if isinstance(evidence, CertificateName):
        return {"certificate": evidence.sha256}
    return {"factor": str(evidence.factor)} if isinstance(evidence, Factor) else {"witness": str(evidence.base)}


def holds(number: int, evidence: Factor | Witness) -> bool:
    """Whether this shows that `number` is composite, by `%` and `pow()` alone."""
    if isinstance(evidence, Factor):
        return 1 < evidence.factor < number and number % evidence.factor == 0
    return number > 2 and number % 2 == 1 and fails_strong_test(number, evidence.base)


def fails_strong_test(n: int, base: int) -> bool:
    """Whether odd n > 2 fails the strong probable prime test (Miller-Rabin) to this base. A multiple of n says nothing."""
    if base % n == 0:
        return False
    twos = ((n - 1) & (1 - n)).bit_length() - 1
    power = pow(base, (n - 1) >> twos, n)
    if power in (1, n - 1):
        return False
    for _ in range(twos - 1):
        power = power * power % n
        if power == n - 1:
            return False
    return True
