"""The primes next to an integer are the next ones, with what is known of them."""

import random

import gmpy2
import pytest

from services.jobs.messages import Operation, Verdict
from services.worker.neighbours import find, next_prime, previous_prime

SIEVED = [n for n in range(2, 2_000) if all(n % d for d in range(2, int(n**0.5) + 1))]


def test_finds_the_next_prime_of_every_small_integer() -> None:
    for n in range(-3, 1_990):
        assert next_prime(gmpy2.mpz(n))[0] == next(p for p in SIEVED if p > n)


def test_finds_the_previous_prime_of_every_small_integer() -> None:
    for n in range(3, 2_000):
        assert previous_prime(gmpy2.mpz(n))[0] == max(p for p in SIEVED if p < n)


@pytest.mark.parametrize("digits", [19, 20, 40, 100])
def test_agrees_with_another_engine_on_large_integers(digits: int) -> None:
    pseudo = random.Random(digits)
    for _ in range(20):
        n = gmpy2.mpz(pseudo.randrange(10 ** (digits - 1), 10**digits))
        p, _finding = next_prime(n)
        assert p == gmpy2.next_prime(n)
        assert previous_prime(p + 1)[0] == p
        assert previous_prime(p)[0] <= n


@pytest.mark.parametrize("number", ["2", "1", "0", "-7", "-" + "9" * 100])
def test_no_prime_is_below_two(number: str) -> None:
    prime, finding = find(Operation.PREVIOUS_PRIME, gmpy2.mpz(number))
    assert (prime, finding.verdict) == ("", Verdict.NEITHER)


def test_tells_a_proven_prime_from_a_probable_one() -> None:
    assert find(Operation.NEXT_PRIME, gmpy2.mpz(96)) == ("97", next_prime(gmpy2.mpz(96))[1])
    assert find(Operation.NEXT_PRIME, gmpy2.mpz(96))[1].verdict is Verdict.PRIME
    assert find(Operation.PREVIOUS_PRIME, gmpy2.mpz(10**30))[1].verdict is Verdict.PROBABLY_PRIME
