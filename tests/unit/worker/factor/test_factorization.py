"""A number is taken apart into divisors whose product it is, each with what is true of it."""

import random

import gmpy2
import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.evidence import Factor, Witness, holds
from services.jobs.messages import Divisor, Factors, Verdict
from services.worker.compute.primes import BASES_BOUND, Finding, examine_large, ignore
from services.worker.factor import factorization
from services.worker.factor.factorization import MOST_FACTORS, Divisors

P = mpz(10) ** 30 + 57
Q = mpz(10) ** 39 + 3
R = mpz(10) ** 49 + 9


def never(n: mpz) -> mpz | None:
    """The budget is spent."""
    return None


def knowing(*divisors: mpz) -> factorization.Split:
    """Finds these, and no others."""
    return lambda n: next((d for d in divisors if 1 < gmpy2.gcd(d, n) < n), None)


def factor(n: int | mpz, *divisors: mpz) -> Factors:
    factors = factorization.factor(mpz(n), ignore, knowing(*divisors)).factors
    assert factors is not None
    return factors


def parts(factors: Factors) -> dict[int, int]:
    return {int(part.number): part.multiplicity for part in factors.found}


def product(factors: Factors) -> mpz:
    total = mpz(factors.cofactor.number) if factors.cofactor else mpz(1)
    for part in factors.found:
        total *= mpz(part.number) ** part.multiplicity
    return total


def is_right(part: Divisor) -> bool:
    """Whether its verdict is that of another engine, and proven only where the tests prove it."""
    n = mpz(part.number)
    if not gmpy2.is_prime(n):
        shown = isinstance(part.evidence, Factor | Witness) and holds(int(n), part.evidence)
        return part.verdict is Verdict.COMPOSITE and shown
    return part.verdict is (Verdict.PRIME if n < BASES_BOUND else Verdict.PROBABLY_PRIME) and part.evidence is None


@given(st.integers(-(2**80), 2**80) | st.integers(-(2**400), 2**400))
def test_the_product_is_the_absolute_value_whatever_is_found(n: int) -> None:
    factors = factor(n)
    assert product(factors) == abs(n)
    assert [int(part.number) for part in factors.found] == sorted({int(part.number) for part in factors.found})
    assert n == 0 or all(is_right(part) for part in factors.found + ([factors.cofactor] if factors.cofactor else []))


@given(st.integers(1, 2**64 - 1))
def test_a_number_below_two_to_the_64_is_wholly_factored_without_another_process(n: int) -> None:
    factors = factor(n)
    assert factors.complete
    assert product(factors) == n
    assert all(part.verdict is Verdict.PRIME and gmpy2.is_prime(mpz(part.number)) for part in factors.found)


@given(st.lists(st.tuples(st.sampled_from([mpz(2), mpz(65_521), mpz(65_537), mpz(2) ** 31 - 1, P, Q, R]), st.integers(1, 4))))
def test_what_can_be_split_is_split_wholly(powers: list[tuple[mpz, int]]) -> None:
    n, expected = mpz(1), dict[int, int]()
    for p, exponent in powers:
        n *= p**exponent
        expected[int(p)] = expected.get(int(p), 0) + exponent
    factors = factor(n, P, Q, R, mpz(65_537), mpz(2) ** 31 - 1)
    assert (parts(factors), factors.cofactor, factors.complete) == (expected, None, True)


def test_zero_is_left_as_it_is_and_one_is_the_empty_product() -> None:
    assert factor(0) == Factors([], Divisor("0", 1, Verdict.NEITHER))
    assert not factor(0).complete
    assert factor(1) == factor(-1) == Factors([])
    assert factor(1).complete


@pytest.mark.parametrize("n", [-12, -97, -1, 0, 1, 2, 97, 91, Q, P * Q])
def test_the_verdict_and_its_evidence_are_those_of_the_number_itself(n: int) -> None:
    assert factorization.factor(mpz(n), ignore, never)._replace(factors=None) == examine_large(mpz(n))


def test_a_negative_number_has_the_factors_of_its_absolute_value() -> None:
    assert factor(-12) == factor(12) == Factors([Divisor("2", 2, Verdict.PRIME), Divisor("3", 1, Verdict.PRIME)])


def test_what_is_left_is_told_with_what_shows_that_it_is_composite() -> None:
    factors = factor(7 * P * Q)
    assert parts(factors) == {7: 1}
    assert factors.cofactor == Divisor(str(P * Q), 1, Verdict.COMPOSITE, Witness(2))
    assert not factors.complete


def test_of_a_power_the_root_is_found() -> None:
    assert parts(factor(P**6)) == {P: 6}
    factors = factor((P * Q) ** 2 * 5)
    assert (parts(factors), factors.cofactor, factors.complete) == ({5: 1, P * Q: 2}, None, False)


def test_of_several_composite_divisors_the_greatest_is_what_is_left() -> None:
    s, t = gmpy2.next_prime(R), gmpy2.next_prime(P)
    factors = factor(P * t * R * s, P * t)
    assert (parts(factors), factors.cofactor and factors.cofactor.number) == ({P * t: 1}, str(R * s))
    assert not factors.complete


def test_a_composite_divisor_may_be_found_first() -> None:
    assert parts(factor(P**3 * Q**2, P * Q, P)) == {P: 3, Q: 2}


def test_no_more_factors_are_told_than_an_answer_holds() -> None:
    factors = factor(gmpy2.primorial(20_000))
    assert len(factors.found) == MOST_FACTORS
    assert factors.cofactor is not None
    assert product(factors) == gmpy2.primorial(20_000)


@pytest.mark.parametrize("rest", [1, 7_927, 7_927**2, 7_927 * 7_933], ids=["none", "prime", "square", "product"])
def test_what_is_left_beside_a_thousand_factors_is_the_cofactor_whatever_it_is(rest: int) -> None:
    number = gmpy2.primorial(7_919) * rest  # of the first thousand primes
    factors = factor(number)
    assert len(factors.found) == MOST_FACTORS
    assert (factors.cofactor.number if factors.cofactor else "1") == str(rest)
    assert product(factors) == number


def test_notes_what_is_known_of_the_number_before_the_last_test_and_nothing_of_what_is_left() -> None:
    notes: list[Finding] = []
    factorization.factor(7 * Q, notes.append, never)
    assert notes == []
    factorization.factor(Q, notes.append, never)
    assert [note.method for note in notes] == ["strong test to base 2", "BPSW"]


def test_notes_what_was_found_before_each_search() -> None:
    notes: list[Finding] = []
    found = iter([P, None])
    factorization.factor(7**2 * P * Q * R, notes.append, lambda _: next(found))
    assert [(note.verdict, note.method) for note in notes] == [(Verdict.COMPOSITE, "trial division")] * 2
    told = [note.factors for note in notes]
    assert all(factors is not None and not factors.complete for factors in told)
    assert [parts(factors) for factors in told if factors] == [{mpz(7): 2}, {mpz(7): 2, P: 1}]
    assert [factors.cofactor.number for factors in told if factors and factors.cofactor] == [str(P * Q * R), str(Q * R)]


def test_a_wrong_divisor_is_no_answer() -> None:
    pseudo = random.Random(1)
    wrong = mpz(pseudo.getrandbits(90) | 1)
    with pytest.raises(ArithmeticError, match="have another product"):
        factorization.check(P * Q, factorization.describe(Divisors(wrong, None).found))
