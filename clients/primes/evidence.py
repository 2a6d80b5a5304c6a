"""Checks answers with nothing but arithmetic, so that nobody needs to trust whoever sent them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .conversation import Answer, Operation
from .expression import NotANumber, evaluate

# Below this no composite number passes the strong test to all of BASES (Sorenson and Webster, 2015).
EXACT_BELOW = 3_317_044_064_679_887_385_961_981
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)

MOST_BITS = 5_000  # of a number that a strong test is made of here: 1,500 digits take pow() a third of a second
MOST_BETWEEN = 5_000  # numbers that are tried between two primes below EXACT_BELOW; gaps there are below 2,000, as far as is known
BASE_BITS = 64

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


def judge(number: str, operation: Operation, answer: Answer) -> Judgement:
    """Check an answer to a question about `number`, an integer or an expression; its certificate, if any, is certificate.py's."""
    try:
        n = evaluate(number)
        found = None if answer.number is None else evaluate(answer.number)
    except NotANumber as error:
        return agreed(f"the number cannot be computed here: {error}")
    if operation is Operation.IS_PRIME:
        return _judge(n, answer.verdict, answer.evidence)
    if found is None:
        return shown("no prime is below 2") if operation is Operation.PREVIOUS and n <= 2 else refuted("no prime came")
    return _judge_neighbour(n, found, operation, answer)


def _judge(n: int, verdict: str, evidence: Mapping[str, str]) -> Judgement:
    if verdict == "composite":
        return _judge_composite(n, evidence)
    if verdict == "neither":
        return shown("it is below 2") if n < 2 else refuted("it is not below 2")
    if verdict in ("prime", "probably_prime"):
        return _judge_prime(n)
    return agreed(f"the verdict {verdict!r} is not known here")


def _judge_prime(n: int) -> Judgement:
    if n < EXACT_BELOW:
        return shown(DECIDED) if is_small_prime(n) else refuted("it fails a strong test, or is below 2")
    if n % 2 == 0:
        return refuted("it is even")
    if n.bit_length() > MOST_BITS:
        return agreed(f"it is too large for a test here: it has more than {MOST_BITS:,} bits")
    if fails_strong_test(n, secrets.randbits(BASE_BITS) + 2):
        return refuted("it fails a strong test")
    return agreed("it passes a strong test to a base drawn here, which is no proof")


def _judge_composite(n: int, evidence: Mapping[str, str]) -> Judgement:
    if "factor" in evidence:
        factor = evaluate(evidence["factor"])
        return (shown if 1 < factor < n and n % factor == 0 else refuted)(f"{factor} {_divides(n, factor)} it")
    if "witness" not in evidence:
        return agreed("no evidence came with it")
    base = evaluate(evidence["witness"])
    if n.bit_length() > MOST_BITS:
        return agreed(f"it is too large for a test here: it has more than {MOST_BITS:,} bits")
    if n > 2 and n % 2 == 1 and fails_strong_test(n, base):
        return shown(f"it fails the strong test to the base {base}, as no prime does")
    return refuted(f"it does not fail the strong test to the base {base}")


def _divides(n: int, factor: int) -> str:
    return "divides" if factor > 1 and n % factor == 0 else "does not divide"


def _judge_neighbour(n: int, found: int, operation: Operation, answer: Answer) -> Judgement:
    """Whether it is the nearest prime."""
    low, high = (n, found) if operation is Operation.NEXT else (found, n)
    if low >= high:
        return refuted("it is on the wrong side of the number")
    prime = _judge(found, answer.verdict, answer.evidence)
    if prime.outcome is not Outcome.SHOWN:
        return prime
    low = max(low, 1)  # no prime is below 2
    if high - low > MOST_BETWEEN:
        return agreed(f"it is prime; whether another lies nearer is not checked among {high - low - 1:,}")
    if nearer := next(filter(is_small_prime, range(low + 1, high)), None):
        return refuted(f"{nearer} is a prime, and nearer")
    return shown("it is prime, and no number between is")


def is_small_prime(n: int) -> bool:
    """Whether n, below EXACT_BELOW, is prime."""
    if n < 2 or any(n % base == 0 for base in BASES):
        return n in BASES
    return not any(fails_strong_test(n, base) for base in BASES)


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
