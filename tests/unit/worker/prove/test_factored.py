"""Factors of a number's neighbours are found where they are small, or stand in its expression, and make a certificate."""

import random

import gmpy2
import pytest
from cypari import pari
from gmpy2 import mpz

from certificates import Kind, read, verify
from certificates.n_minus_1 import power_in
from services.jobs import expression
from services.jobs.evaluation import evaluate
from services.worker.prove.factored import by_predecessor, certify, divisors, enough, find, hints
from tests.unit import oracle


def test_small_factors_are_all_found_with_their_powers() -> None:
    for m in range(1, 300):
        expected = [p for p in oracle.primes(m + 1) if m % p == 0]
        assert list(divisors(mpz(m))) == expected
        found = find(mpz(m), [7, 11])  # hints that may be wrong, and need not be
        assert sorted(found) == [(p, power_in(m, p)) for p in expected]


def test_no_more_factors_are_taken_than_are_needed() -> None:
    assert by_predecessor(mpz(97)) == b"[97, [2]]"  # 32 > 97^(1/3)
    largest = enough(find(gmpy2.primorial(1019), ()), gmpy2.iroot(gmpy2.primorial(1019), 3)[0] + 1)
    assert largest == oracle.primes(1_020)[-len(largest) :]
    assert certify(mpz(10**999 + 7)) == b""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2^521-1", Kind.N_PLUS_1),
        ("2^2203-1", Kind.N_PLUS_1),
        ("3*2^2816+1", Kind.N_MINUS_1),
        ("2^16+1", Kind.N_MINUS_1),
        ("427!+1", Kind.N_MINUS_1),
        ("469!-1", Kind.N_PLUS_1),
        ("1019#+1", Kind.N_MINUS_1),
        ("337#-1", Kind.N_PLUS_1),
    ],
)
def test_the_form_of_an_expression_proves_it(text: str, kind: Kind) -> None:
    tree = expression.read(text, 10_000).tree
    n = evaluate(tree)
    assert pari.ispseudoprime(pari(str(n)))
    certificate = read(certify(n, hints(tree)))
    verify(certificate)
    assert (certificate.n, certificate.kind) == (n, kind)


def test_without_the_expressions_own_numbers_a_large_base_is_not_found() -> None:
    tree = expression.read("2^90*1000003^30", 1_000).tree
    assert hints(tree) == {2, 3, 5, 1000003}
    assert mpz(1000003) not in dict(find(evaluate(tree), ()))


def test_what_is_proven_at_random_is_prime_to_pari_and_composites_are_not_proven() -> None:
    chance = random.Random(4)
    proven = 0
    for _ in range(60):
        n = gmpy2.next_prime(mpz(chance.randrange(10**25, 10**28)))
        if text := certify(n):
            verify(read(text))
            assert pari.isprime(pari(str(n)))
            proven += 1
    assert proven > 5


def test_a_factor_that_needs_a_certificate_of_its_own_is_not_named() -> None:
    small, large = 2**61 - 1, gmpy2.next_prime(2**64)
    assert hints(expression.read(f"{small}*2^5000+1", 10_000).tree) == {2, 5, small}
    assert hints(expression.read(f"{large}*2^5000+1", 10_000).tree) == {2, 5}


def test_a_large_number_in_an_expression_is_not_factored() -> None:
    """Its factors might not be found before the job's time is over: it has none below 10^99."""
    composite = (10**99 + 289) * (10**100 + 267)
    assert hints(expression.read(f"{composite}*2^5000+1", 10_000).tree) == {2, 5}  # 5000's
