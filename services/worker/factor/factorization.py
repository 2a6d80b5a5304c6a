"""Takes a number apart: which factors were found, which of them are prime, and what is left. Pure arithmetic: no I/O, no state."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import flint
import gmpy2
from gmpy2 import mpz

from services.jobs.messages import Divisor, Factors, Verdict
from services.worker.compute.primes import WORD, Finding, Note, examine_large, ignore

TRIED = 2**16  # prime factors below are found by trial division, which takes a millisecond
MOST_FACTORS = 1_000  # different ones in an answer, which they make 100 kB long at most beside their digits; seldom more than 30

_PRIMORIAL = gmpy2.primorial(TRIED)
_TRIED_BITS = 16

Split = Callable[[mpz], mpz | None]  # of a composite above 2^64 a divisor between 1 and itself; None when the budget is spent


class Found(NamedTuple):
    """A divisor, how often it stands in the number beside the others, and what is known of it."""

    number: mpz
    multiplicity: int
    finding: Finding


def factor(n: mpz, note: Note, split: Split) -> Finding:
    """What is known of n itself, with the factors of its absolute value that were found.

    `note`: see `examine_large`; before each search that may take long it is told the factors that were found by then.
    """
    finding = examine_large(n, note)
    if n == 0:  # every integer divides it
        return finding._replace(factors=Factors([], Divisor("0", 1, Verdict.NEITHER)))
    parts = Divisors(abs(n), finding if n > 1 else None)

    def tell() -> Finding:
        return finding._replace(factors=check(n, describe(parts.found)))

    def split_slowly(part: mpz) -> mpz | None:
        note(tell())
        return split(part)

    parts.take_apart(split_slowly)
    return tell()


class Divisors:
    """Divisors whose product is the number, ever smaller ones."""

    def __init__(self, n: mpz, finding: Finding | None) -> None:
        """`n` is above 0; `finding`: what is known of it, None where nothing is."""
        self._findings = {} if finding is None else {n: finding}
        self._multiplicities: dict[mpz, int] = {}
        for p, multiplicity in _divide_by_small(n):
            self._multiplicities[p] = multiplicity
            n //= p**multiplicity
            if len(self._multiplicities) == MOST_FACTORS:
                break
        if len(self._multiplicities) == MOST_FACTORS and n > 1:
            self._multiplicities[n] = 1  # it is left as it is, and so the cofactor
        else:
            self._add(n, 1)

    @property
    def found(self) -> list[Found]:
        """All divisors, the least one first."""
        return [Found(part, multiplicity, self._find(part)) for part, multiplicity in sorted(self._multiplicities.items())]

    def take_apart(self, split: Split) -> None:
        """Split what is composite, the least one first, until all are prime or `split` finds no more."""
        while len(self._multiplicities) < MOST_FACTORS and (part := self._least_composite()):
            divisor = _split_word(part) if part < WORD else split(part)
            if divisor is None:
                return
            multiplicity = self._multiplicities.pop(part)
            rest, power = gmpy2.remove(part, divisor)
            self._add(divisor, multiplicity * power)
            self._add(rest, multiplicity)

    def _least_composite(self) -> mpz | None:
        return min((part for part in self._multiplicities if self._find(part).verdict is Verdict.COMPOSITE), default=None)

    def _add(self, part: mpz, multiplicity: int) -> None:
        """One more divisor; of a power its root."""
        if part == 1:
            return
        root, exponent = _root(part) if self._find(part).verdict is Verdict.COMPOSITE else (part, 1)
        self._multiplicities[root] = self._multiplicities.get(root, 0) + multiplicity * exponent

    def _find(self, part: mpz) -> Finding:
        if (finding := self._findings.get(part)) is None:
            finding = self._findings[part] = examine_large(part, ignore)
        return finding


def _divide_by_small(n: mpz) -> Iterator[tuple[mpz, int]]:
    """The prime factors of n below TRIED with their multiplicities, the least one first."""
    common, p = gmpy2.gcd(n, _PRIMORIAL), mpz(2)
    while common > 1:
        if common % p == 0:
            common //= p
            yield p, gmpy2.remove(n, p)[1]
        p = gmpy2.next_prime(p)


def _root(n: mpz) -> tuple[mpz, int]:
    """The least root of n, which has no factor below TRIED as a rule, and its exponent: n itself and 1 where n is no power."""
    total, exponent = 1, mpz(2)
    while gmpy2.is_power(n):
        root, exact = gmpy2.iroot(n, int(exponent))
        if exact:
            n, total = root, total * int(exponent)
        else:
            exponent = gmpy2.next_prime(exponent)
    return n, total


def _split_word(n: mpz) -> mpz:
    """A prime factor of composite n below 2^64, found within a millisecond."""
    return max(mpz(int(p)) for p, _ in flint.fmpz(int(n)).factor())


def describe(found: list[Found]) -> Factors:
    """As the answer has it. What is left is the greatest composite divisor, where it stands there once, or one divisor too many."""
    parts = [Divisor(gmpy2.digits(each.number), each.multiplicity, each.finding.verdict, each.finding.evidence) for each in found]
    composite = [part for part in parts if part.verdict is Verdict.COMPOSITE]
    if composite and composite[-1].multiplicity == 1:
        parts.remove(composite[-1])
        return Factors(parts, composite[-1])
    return Factors(parts[:-1], parts[-1]) if len(parts) > MOST_FACTORS else Factors(parts)


def check(n: mpz, factors: Factors) -> Factors:
    """The same. Raises ArithmeticError where its product is not the absolute value of n."""
    product = mpz(factors.cofactor.number) if factors.cofactor else mpz(1)
    for part in factors.found:
        product *= mpz(part.number) ** part.multiplicity
    if product != abs(n):
        raise ArithmeticError(f"the factors of a number of {n.bit_length()} bits have another product")
    return factors
