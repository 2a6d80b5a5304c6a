"""Checks answers with nothing but arithmetic, so that nobody needs to trust whoever sent them."""

import math
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from certificates import Malformed, Rejected, read, verify
from certificates.small import BASES, BASES_BOUND, fails_strong_test, is_small_prime

from . import factoring
from .conversation import Answer
from .expression import decimal, evaluate
from .functions import NotANumber
from .requests import Operation

MOST_BITS = 5_000  # of a number that a strong test is made of here: 1,500 digits take pow() a third of a second
MOST_BETWEEN = 5_000  # numbers that are tried between two primes below BASES_BOUND; gaps there are below 2,000, as far as is known
DRAWN = 3  # bases of strong tests; a composite passes one with a chance below 1/4
BASE_BITS = 64

# What evidence a verdict may bring. What comes with another is a lie, or a fault: nobody looks at it.
KINDS = {"composite": {"factor", "witness"}, "prime": {"certificate"}, "probably_prime": set[str](), "neither": set[str]()}

_DECIMAL = re.compile(r"[0-9]+")
_VALUE = re.compile(r"-?[0-9]{1,1000}")  # of an expression: the protocol sends no longer one
_SMALL = re.compile(r"[0-9]{1,20}")  # of a factor or witness: they are below 2^64

DECIDED = "it passes 13 strong tests, which decide numbers of its size"


class Outcome(StrEnum):
    """What a check has shown."""

    SHOWN = "shown"  # the verdict is certain, whoever sent it
    AGREED = "agreed"  # nothing is proven, and nothing contradicts it
    REFUTED = "refuted"  # the evidence does not show it: its sender is not to be trusted


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome, and why, in words."""

    outcome: Outcome
    words: str


def shown(words: str) -> Judgement:
    """The verdict is certain."""
    return Judgement(Outcome.SHOWN, words)


def agreed(words: str) -> Judgement:
    """Nothing contradicts it."""
    return Judgement(Outcome.AGREED, words)


def refuted(words: str) -> Judgement:
    """It is not shown, though it should be."""
    return Judgement(Outcome.REFUTED, words)


def judge(number: str, operation: Operation, answer: Answer, certificate: bytes | None = None) -> Judgement:
    """Check an answer to a question about `number`, an integer or an expression.

    `certificate` is the text of the one that the evidence names, if it names one and it could be had.
    """
    try:
        n = evaluate(number)
    except NotANumber as error:
        return agreed(f"the number cannot be computed here: {error}")
    if not _is_value(n, answer):
        return refuted("what came as its value, or as how many digits it has, is not so")
    if operation is Operation.IS_PRIME:
        return _judge(n, answer, certificate)
    if operation is Operation.FACTOR:
        return _judge_factors(n, answer)
    return _judge_neighbour(n, operation, answer, certificate)


def _is_value(n: int, answer: Answer) -> bool:
    """Whether what the answer says of the value of the expression, if it does, is so."""
    if answer.value is not None and not (_VALUE.fullmatch(answer.value) and int(answer.value) == n):
        return False
    return answer.digits is None or answer.digits == _count_digits(n)


def _count_digits(n: int) -> int:
    """Without its decimal form, which takes long where it has thousands."""
    digits = int(n.bit_length() * math.log10(2))  # or one more
    return max(1, digits + 1 if abs(n) >= 10**digits else digits)


def _judge(n: int, answer: Answer, certificate: bytes | None) -> Judgement:
    verdict, evidence = answer.verdict, answer.evidence
    if verdict not in KINDS:
        return agreed(f"the verdict {verdict!r} is not known here")
    if strange := sorted(set[str]().union(*KINDS.values()) & evidence.keys() - KINDS[verdict]):
        return refuted(f"a {strange[0]} is no evidence of this verdict")
    if verdict == "composite":
        return _judge_composite(n, evidence)
    if verdict == "neither":
        return shown("it is below 2") if n < 2 else refuted("it is not below 2")
    return _judge_prime(n) if certificate is None else _judge_certificate(n, certificate)


def _judge_factors(n: int, answer: Answer) -> Judgement:
    """Whether their product is the number, and each is what it is called."""
    try:
        found, left = factoring.read(answer.factoring)
        parts = [(decimal(one.number), one) for one in (*found, *([left] if left else ()))]
    except NotANumber as error:
        return refuted(f"what came as its factors is none: {error}")
    if not _multiply_to(abs(n), [(p, one.multiplicity) for p, one in parts]):
        return refuted("the product of its factors is another number")
    judgements = [_judge_part(p, one) for p, one in parts]
    for outcome in (Outcome.REFUTED, Outcome.AGREED):
        if worst := next((judged for judged in judgements if judged.outcome is outcome), None):
            return worst
    return _judge(n, answer, None) if left else shown("the product of its factors is right, and each is what it is called")


def _judge_part(p: int, one: factoring.Divisor) -> Judgement:
    if one.verdict not in KINDS:
        return agreed(f"the verdict {one.verdict!r} of a factor is not known here")
    if one.verdict == "composite":
        judged = _judge_composite(p, one.evidence)
    else:
        judged = (shown if p < 2 else refuted)("it is below 2") if one.verdict == "neither" else _judge_prime(p)
    return Judgement(judged.outcome, f"of one of its factors: {judged.words}")


def _multiply_to(n: int, powers: Iterable[tuple[int, int]]) -> bool:
    """Whether the product of these powers is n; one that grows above it is not computed to its end."""
    product = 1
    for p, multiplicity in powers:
        if (p.bit_length() - 1) * multiplicity > n.bit_length():
            return False
        product *= p**multiplicity
        if product > n:
            return False
    return product == n


def _judge_prime(n: int) -> Judgement:
    if n < BASES_BOUND:
        return shown(DECIDED) if is_small_prime(n) else refuted("it fails a strong test, or is below 2")
    if factor := next((p for p in BASES if n % p == 0), None):
        return refuted(f"{factor} divides it")
    if n.bit_length() > MOST_BITS:
        return agreed(f"it is too large for a test here: it has more than {MOST_BITS:,} bits")
    # Base 2 tells nearly every composite, each time; the others cannot be foreseen by whoever looks for one that passes.
    if any(fails_strong_test(n, base) for base in (2, *(secrets.randbits(BASE_BITS) + 2 for _ in range(DRAWN)))):
        return refuted("it fails a strong test")
    return agreed(f"it passes strong tests to the base 2 and to {DRAWN} drawn here, which is no proof")


def _judge_certificate(n: int, text: bytes) -> Judgement:
    try:
        certificate = read(text)
        if certificate.n != n:
            return refuted("its certificate is for another number")
        verify(certificate)
    except (Malformed, Rejected) as error:
        return refuted(f"its certificate does not hold: {error}")
    return shown(f"all {certificate.length} steps of its certificate hold" if certificate.length > 1 else "its certificate holds")


def _judge_composite(n: int, evidence: Mapping[str, Any]) -> Judgement:
    if "factor" in evidence:
        return _judge_factor(n, evidence["factor"])
    if "witness" in evidence:
        return _judge_witness(n, evidence["witness"])
    if n >= BASES_BOUND:
        return agreed("no evidence came with it")
    return shown("it fails a strong test") if n > 1 and not is_small_prime(n) else refuted("it is prime, or below 2")


def _judge_factor(n: int, value: object) -> Judgement:
    factor = _read_small(value)
    if factor is None:
        return refuted("what came as a factor is no number below 2^64")
    divides = factor > 1 and n % factor == 0
    return (shown if divides and factor < n else refuted)(f"{factor} {'divides' if divides else 'does not divide'} it")


def _judge_witness(n: int, value: object) -> Judgement:
    base = _read_small(value)
    if base is None:
        return refuted("what came as a witness is no number below 2^64")
    if n.bit_length() > MOST_BITS:
        return agreed(f"it is too large for a test here: it has more than {MOST_BITS:,} bits")
    if n > 2 and n % 2 == 1 and fails_strong_test(n, base):
        return shown(f"it fails the strong test to the base {base}, as no prime does")
    return refuted(f"it does not fail the strong test to the base {base}")


def _read_small(value: object) -> int | None:
    return int(value) if isinstance(value, str) and _SMALL.fullmatch(value) else None


def _judge_neighbour(n: int, operation: Operation, answer: Answer, certificate: bytes | None) -> Judgement:
    """Whether it is the nearest prime."""
    if answer.number is None:
        return shown("no prime is below 2") if operation is Operation.PREVIOUS and n <= 2 else refuted("no prime came")
    if not _DECIMAL.fullmatch(answer.number):
        return refuted("what came as the prime is no number")
    return _judge_found(n, operation, answer.number, answer, certificate)


def _judge_found(n: int, operation: Operation, number: str, answer: Answer, certificate: bytes | None) -> Judgement:
    """Whether this prime is the nearest one."""
    try:
        found = decimal(number)
    except NotANumber as error:
        return agreed(f"the prime that came cannot be checked here: {error}")
    low, high = (n, found) if operation is Operation.NEXT else (found, n)
    if low >= high:
        return refuted("it is on the wrong side of the number")
    prime = _judge(found, answer, certificate)
    if prime.outcome is not Outcome.SHOWN:
        return prime
    low = max(low, 1)  # no prime is below 2
    if high - low > MOST_BETWEEN or high >= BASES_BOUND:
        return agreed(f"it is prime; whether another lies nearer is not checked among {high - low - 1:,}")
    if nearer := next(filter(is_small_prime, range(low + 1, high)), None):
        return refuted(f"{nearer} is a prime, and nearer")
    return shown("it is prime, and no number between is")
