"""The verdicts of examine are right, and say how they were reached."""

import gmpy2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.evidence import Factor, Witness
from services.jobs.messages import Verdict
from services.worker.compute.primes import BASES, BASES_BOUND, Finding, examine
from tests.unit import oracle

PRIME, COMPOSITE, NEITHER, PROBABLY_PRIME, _ = Verdict
TWO64 = 2**64


# F. Arnault, "Constructing Carmichael numbers which are strong pseudoprimes to several bases", 1995: to all below 307
_ARNAULT = int(
    "29674495668685510550154174642905332730771991799853043350995075531"
    "276838753171770199594238596428121188033664754218345562493168782883"
)
ARNAULT = _ARNAULT * (313 * (_ARNAULT - 1) + 1) * (353 * (_ARNAULT - 1) + 1)


def verdict(n: int) -> Verdict:
    return examine(str(n)).verdict


def expected(n: int) -> Verdict:
    """By the oracle, for n below its bound."""
    if n < 2:
        return NEITHER
    return PRIME if oracle.is_prime(n) else COMPOSITE


def prime_after(n: int) -> int:
    return int(gmpy2.next_prime(n))


def test_agrees_with_the_sieve_below_20_000() -> None:
    wrong = [n for n, prime in enumerate(oracle.sieve(20_000)) if n >= 2 and verdict(n) is not (PRIME if prime else COMPOSITE)]
    assert wrong == []


@pytest.mark.parametrize("n", [0, 1, -1, -2, -3, -97, -(2**63), -TWO64, -TWO64 - 13, -BASES_BOUND, -(10**400)])
def test_below_two_a_number_is_neither(n: int) -> None:
    assert examine(str(n)) == Finding(NEITHER, "below 2")


@pytest.mark.parametrize("middle", [2**31, 2**32, 2**53, 2**63, 10**18, 10**19, TWO64, 10**20, 10**22])
def test_agrees_with_the_oracle_around(middle: int) -> None:
    wrong = [n for n in range(middle - 200, middle + 201) if verdict(n) is not expected(n)]
    assert wrong == []


def test_agrees_with_the_oracle_up_to_the_bound() -> None:
    wrong = [n for n in range(BASES_BOUND - 400, BASES_BOUND) if verdict(n) is not expected(n)]
    assert wrong == []


@given(st.integers(2, BASES_BOUND - 1) | st.integers(2, TWO64))
def test_agrees_with_the_oracle(n: int) -> None:
    assert verdict(n) is expected(n)


@given(st.integers(2, 10**40), st.integers(2, 10**40))
def test_a_product_is_composite(a: int, b: int) -> None:
    assert verdict(a * b) is COMPOSITE


@pytest.mark.parametrize(
    ("n", "finding"),
    [
        (2, Finding(PRIME, "BPSW, exact below 2^64")),
        (4, Finding(COMPOSITE, "trial division", Factor(2))),
        (43 * 47, Finding(COMPOSITE, "strong test to base 2", Witness(2))),
        (9_999_999_999_999_999_961, Finding(PRIME, "BPSW, exact below 2^64")),  # 19 digits
        (10_000_000_000_000_000_051, Finding(PRIME, "BPSW, exact below 2^64")),  # 20 digits
        (TWO64 - 59, Finding(PRIME, "BPSW, exact below 2^64")),
        (TWO64 - 1, Finding(COMPOSITE, "trial division", Factor(3))),
        (TWO64, Finding(COMPOSITE, "trial division", Factor(2))),
        (TWO64 + 13, Finding(PRIME, "strong tests to 13 bases, exact below 3.3e24")),
        (10**24 + 7, Finding(PRIME, "strong tests to 13 bases, exact below 3.3e24")),
        (10**30 + 57, Finding(PROBABLY_PRIME, "BPSW and Miller-Rabin")),
        (10**30 + 59, Finding(COMPOSITE, "trial division", Factor(3))),
        (2**101 - 1, Finding(COMPOSITE, "strong test to base 3", Witness(3))),
        ((2**127 - 1) * (2**89 - 1), Finding(COMPOSITE, "strong test to base 2", Witness(2))),
    ],
)
def test_says_how_the_verdict_was_reached(n: int, finding: Finding) -> None:
    assert examine(str(n)) == finding


def test_above_the_bound_a_prime_is_only_probably_so() -> None:
    primes = [prime_after(BASES_BOUND), prime_after(10**50), prime_after(10**100), prime_after(10**299)]
    assert {verdict(p) for p in primes} == {PROBABLY_PRIME}


def test_the_composite_at_the_bound_that_passes_all_13_strong_tests_is_composite() -> None:
    assert all(oracle.passes_strong_test(BASES_BOUND, base) for base in BASES)
    found = examine(str(BASES_BOUND))
    assert found.verdict is COMPOSITE
    assert isinstance(found.evidence, Witness) and found.evidence.base not in BASES
    assert found.method == f"strong test to base {found.evidence.base}"


# OEIS A014233: the n-th is the least composite that is a strong pseudoprime to the n smallest primes.
A014233 = [
    2_047,
    1_373_653,
    25_326_001,
    3_215_031_751,
    2_152_302_898_747,
    3_474_749_660_383,
    341_550_071_728_321,
    341_550_071_728_321,
    3_825_123_056_546_413_051,
    3_825_123_056_546_413_051,
    3_825_123_056_546_413_051,
    318_665_857_834_031_151_167_461,
    3_317_044_064_679_887_385_961_981,
]


@pytest.mark.parametrize(("bases", "n"), list(enumerate(A014233, start=1)))
def test_the_least_strong_pseudoprime_to_the_first_bases_is_composite(bases: int, n: int) -> None:
    assert all(oracle.passes_strong_test(n, base) for base in BASES[:bases])
    assert verdict(n) is COMPOSITE


def test_arnaults_strong_pseudoprime_of_397_digits_is_composite() -> None:
    n = ARNAULT
    assert len(str(n)) == 397
    assert all(oracle.passes_strong_test(n, base) for base in BASES)
    assert verdict(n) is COMPOSITE


def test_carmichael_numbers_are_composite() -> None:
    carmichael = oracle.carmichael_numbers(100_000)
    assert len(carmichael) == 16
    assert [n for n in carmichael if verdict(n) is not COMPOSITE] == []


def test_large_carmichael_numbers_are_composite() -> None:
    # Chernick: (6k + 1)(12k + 1)(18k + 1) when all three are prime
    factors = [(6 * k + 1, 12 * k + 1, 18 * k + 1) for k in [*range(10**6, 10**6 + 3_000), *range(10**9, 10**9 + 6_000)]]
    carmichael = [a * b * c for a, b, c in factors if all(map(gmpy2.is_prime, (a, b, c)))]
    assert carmichael[0] < BASES_BOUND < carmichael[-1]
    assert [n for n in carmichael if verdict(n) is not COMPOSITE] == []


def test_squares_of_primes_are_composite() -> None:
    starts = [2**31, 2**32, 10**10, 10**12, 10**15, 10**30, 10**100]
    primes = oracle.primes(20_000) + [prime_after(start) for start in starts]
    assert [p for p in primes if verdict(p * p) is not COMPOSITE] == []


def test_the_squares_of_wieferich_primes_are_composite() -> None:
    # the only known squares that pass the strong test to base 2
    assert all(oracle.passes_strong_test(p * p, 2) for p in (1_093, 3_511))
    assert {verdict(1_093**2), verdict(3_511**2)} == {COMPOSITE}


@pytest.mark.parametrize("start", [10**3, 2**31, 2**32, 10**10, 10**12, 2**64, 10**30, 10**150])
def test_products_of_close_primes_are_composite(start: int) -> None:
    p = prime_after(start)
    q = prime_after(p)
    assert {verdict(p * q), verdict(p * prime_after(q)), verdict(p * p * q)} == {COMPOSITE}


@pytest.mark.parametrize("base", BASES)
def test_multiples_of_a_base_are_composite(base: int) -> None:
    powers = [base**k for k in range(2, 200)]
    multiples = [base * prime_after(start // base) for start in (TWO64, 10**20, 10**22, 10**24, BASES_BOUND, 10**50)]
    assert [n for n in powers + multiples if verdict(n) is not COMPOSITE] == []


@pytest.mark.parametrize("n", [24_624_718_264_593_336_891, 411_900_274_438_083_641_211, 1_224_806_812_473_123_231_642_291])
def test_multiples_of_a_base_that_pass_the_test_before_it_are_composite(n: int) -> None:
    # made of primes of which two has an order that fits; the test to base 3 then refuses them with a ValueError
    assert n % 3 == 0
    assert oracle.passes_strong_test(n, 2)
    assert verdict(n) is COMPOSITE


def test_products_of_all_bases_are_composite() -> None:
    product = int(gmpy2.primorial(41))
    assert {verdict(product), verdict(product * TWO64), verdict(product**10)} == {COMPOSITE}


MERSENNE = [3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127, 521, 607, 1_279, 2_203, 2_281, 3_217, 4_253, 4_423]


@pytest.mark.parametrize("exponent", MERSENNE)
def test_mersenne_primes_are_prime(exponent: int) -> None:
    assert verdict(2**exponent - 1) is (PRIME if exponent < 82 else PROBABLY_PRIME)


def test_agrees_with_lucas_and_lehmer_on_mersenne_numbers() -> None:
    exponents = oracle.primes(700)[1:]
    found = [exponent for exponent in exponents if verdict(2**exponent - 1) is not COMPOSITE]
    assert found == [exponent for exponent in exponents if oracle.mersenne_is_prime(exponent)]


@pytest.mark.parametrize("power", range(5, 12))
def test_fermat_numbers_after_the_fourth_are_composite(power: int) -> None:
    assert verdict(2 ** (2**power) + 1) is COMPOSITE


def test_reads_more_digits_than_int_takes() -> None:
    assert examine("1" + "0" * 9_998 + "5").verdict is COMPOSITE
    assert examine("-" + "9" * 9_999).verdict is NEITHER


def test_notes_what_is_known_before_the_dear_tests() -> None:
    notes: list[Finding] = []
    assert examine(str(2**607 - 1), notes.append).verdict is Verdict.PROBABLY_PRIME
    assert [(note.verdict, note.method) for note in notes] == [
        (Verdict.PROBABLY_PRIME, "strong test to base 2"),
        (Verdict.PROBABLY_PRIME, "BPSW"),
    ]


def test_notes_nothing_of_a_composite() -> None:
    notes: list[Finding] = []
    assert examine(str((2**127 - 1) * (2**89 - 1)), notes.append).verdict is Verdict.COMPOSITE
    assert notes == []
