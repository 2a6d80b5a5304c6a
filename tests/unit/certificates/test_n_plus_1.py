"""Factors of N+1, alone or with those of N-1, prove primes and never a composite number."""

import json
import subprocess

import pytest

from certificates import Morrison, Rejected, read, verify
from tests.unit import oracle
from tests.unit.clients.node import NODE, ROOT


def factors(m: int) -> tuple[int, ...]:
    return tuple(p for p in oracle.primes(m + 1) if m % p == 0)


def holds(certificate: Morrison) -> bool:
    try:
        verify(certificate)
    except Rejected:
        return False
    return True


def written(certificate: Morrison) -> str:
    return f"[{certificate.n}, {list(certificate.minus)}, {list(certificate.plus)}]"


def parts(n: int) -> list[Morrison]:
    """All factors of n + 1, those but one, and each with those of n - 1."""
    plus, minus = factors(n + 1), factors(n - 1)
    chosen = [plus, *(tuple(q for q in plus if q != left) for left in plus)]
    return [Morrison(n, below, above) for above in chosen if above for below in ((), minus, minus[1:])]


def test_every_prime_from_5_to_1_000_is_proved_and_no_composite_is_by_both_implementations() -> None:
    prime = oracle.sieve(1_000)
    certificates = [each for n in range(2, 1_000) for each in parts(n)]
    ours = [holds(each) for each in certificates]
    assert {each.n for each, held in zip(certificates, ours, strict=True) if held} == {n for n in range(3, 1_000) if prime[n]}
    asked = "".join(json.dumps(written(each)) + "\n" for each in certificates)
    command = [NODE, ROOT / "tests/javascript/judge.mjs"]
    theirs = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert [word.startswith("proves") for word in theirs] == ours


@pytest.mark.parametrize("n", [323, 377, 1159, 1829, 3827, 5459, 5777, 9071, 9179, 10877, 75077, 100127])  # Lucas pseudoprimes
def test_no_lucas_pseudoprime_is_proved(n: int) -> None:
    assert not any(holds(each) for each in parts(n))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[8191, [], [3]]", "3 is no factor of n + 1"),
        ("[8191, [], [2, 2]]", "a factor of n + 1 stands there twice"),
        ("[8191, [], [4]]", "the factor 4 is no prime below 3.3e24"),
        ("[8191, [11], [2]]", "11 is no factor of n - 1"),
        ("[2047, [], [2]]", "there is no Lucas sequence for a factor of n + 1"),
        ("[9, [], [5]]", "n is a square"),
        ("[8190, [], [2]]", "n is below 3 or even"),
        ("[1000033, [], [2]]", "the factors of n + 1 are too few: their part F2 is not above 2"),
    ],
)
def test_what_does_not_hold_is_rejected_in_words(text: str, words: str) -> None:
    with pytest.raises(Rejected) as caught:
        verify(read(text.encode()))
    assert caught.value.reason == words
