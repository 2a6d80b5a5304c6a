"""Every composite comes with evidence that holds, checked here with `%` and `pow()` alone; no number is called what it is not."""

import random
from collections.abc import Iterable, Iterator
from math import gcd, lcm

import gmpy2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.evidence import Evidence, Factor, Witness, holds
from services.jobs.messages import Verdict
from services.worker.compute.primes import examine, find_witness
from tests.unit import oracle
from tests.unit.worker.compute.test_primes import ARNAULT, prime_after


def shown(n: int, evidence: Evidence | None) -> bool:
    """Whether the evidence shows that n is composite, by the textbook's means and none of the service's."""
    if isinstance(evidence, Factor):
        return 1 < evidence.factor < n and n % evidence.factor == 0
    return isinstance(evidence, Witness) and n % 2 == 1 and not oracle.passes_strong_test(n, evidence.base)


def wrong(composites: Iterable[int]) -> list[int]:
    """Those that are not called composite, or not shown to be."""
    found = ((n, examine(str(n))) for n in composites)
    return [n for n, finding in found if finding.verdict is not Verdict.COMPOSITE or not shown(n, finding.evidence)]


def carmichael_numbers(bound: int) -> Iterator[int]:
    """All below `bound`, by Korselt's criterion: in n = P * r, P * r = 1 modulo every p - 1, and r - 1 divides P - 1."""
    primes = oracle.primes(int((bound / 3) ** 0.5) + 1)  # all but the last

    def extend(product: int, order: int, start: int, count: int) -> Iterator[int]:
        last = primes[start - 1]
        if count >= 2:
            for r in range(pow(product, -1, order), min(bound // product, product) + 1, order):
                if r > last and (product - 1) % (r - 1) == 0 and gmpy2.is_prime(r):
                    yield product * r
        for index in range(start, len(primes)):
            p = primes[index]
            if product * p * p >= bound:
                break
            if gcd(product, p - 1) == 1:
                yield from extend(product * p, lcm(order, p - 1), index + 1, count + 1)

    for index, p in enumerate(primes):
        if index and p**3 < bound:
            yield from extend(p, p - 1, index + 1, 1)


def products(signs: tuple[int, int], multipliers: range, starts: range) -> Iterator[int]:
    """p * q for primes with q -+ 1 = r * (p -+ 1): the shape that most strong pseudoprimes have."""
    a, b = signs
    for k in starts:
        if gmpy2.is_prime(k + a):
            yield from ((k + a) * (r * k + b) for r in multipliers if gmpy2.is_prime(r * k + b))


def test_every_number_below_a_million_is_called_what_it_is_and_shown() -> None:
    prime = oracle.sieve(1_000_000)
    findings = [examine(str(n)) for n in range(1_000_000)]
    assert all((finding.verdict is Verdict.PRIME) == prime[n] for n, finding in enumerate(findings))
    assert [n for n in range(4, 1_000_000) if not prime[n] and not shown(n, findings[n].evidence)] == []
    assert all(finding.evidence is None for n, finding in enumerate(findings) if n < 2 or prime[n])


def test_100_000_random_numbers_below_2_to_the_64_agree_with_a_second_engine() -> None:
    rng = random.Random(64)
    numbers = [rng.getrandbits(rng.randrange(2, 65)) | 1 for _ in range(100_000)]
    prime = [bool(gmpy2.is_prime(n, 30)) for n in numbers]  # GMP's; ours asks FLINT
    assert sum(prime) > 5_000
    assert [n for n, yes in zip(numbers, prime, strict=True) if n > 1 and (examine(str(n)).verdict is Verdict.PRIME) != yes] == []
    assert wrong(n for n, yes in zip(numbers, prime, strict=True) if n > 1 and not yes) == []


def test_10_000_composites_are_confirmed_by_pow_alone() -> None:
    rng = random.Random(10)
    composites = [
        prime_after(rng.getrandbits(bits)) * prime_after(rng.getrandbits(bits)) for bits in range(20, 120) for _ in range(100)
    ]
    found = [examine(str(n)).evidence for n in composites]
    witnesses = [(n, evidence.base) for n, evidence in zip(composites, found, strict=True) if isinstance(evidence, Witness)]
    assert len(composites) == 10_000 and len(witnesses) > 9_900
    for n, base in witnesses:
        odd = (n - 1) // ((n - 1) & -(n - 1))
        seen = [pow(base, odd << k, n) for k in range(((n - 1) // odd).bit_length() - 1)]
        assert seen[0] != 1 and n - 1 not in seen, (n, base)
    assert wrong(set(composites) - {n for n, _ in witnesses}) == []


def test_all_646_carmichael_numbers_below_a_milliard_are_shown_to_be_composite() -> None:
    carmichael = sorted(carmichael_numbers(10**9))
    assert len(carmichael) == 646  # OEIS A055553
    assert carmichael[:4] == [561, 1_105, 1_729, 2_465]
    assert wrong(carmichael) == []


def test_strong_pseudoprimes_to_base_2_are_shown_to_be_composite() -> None:
    found = [n for n in products((1, 1), range(2, 12), range(2, 60_000, 2)) if oracle.passes_strong_test(n, 2)]
    assert len(found) > 500
    assert {2_047, 3_277} <= set(found)
    assert wrong(found) == []


def test_strong_lucas_pseudoprimes_are_shown_to_be_composite() -> None:
    shapes = [*products((-1, 1), range(1, 8), range(4, 30_000, 2)), *products((-1, -1), range(2, 8), range(4, 30_000, 2))]
    found = [n for n in shapes if gmpy2.is_strong_selfridge_prp(n)]
    assert len(found) > 100
    assert {5_777, 10_877} <= set(found)
    assert wrong(found) == []


def test_mersenne_composites_are_shown_to_be_composite() -> None:
    exponents = [p for p in oracle.primes(2_000)[1:] if p not in (3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127, 521, 607, 1_279)]
    assert wrong(2**p - 1 for p in exponents) == []


PRIMORIAL_PLUS_ONE = {2, 3, 5, 7, 11, 31, 379}  # OEIS A005234
PRIMORIAL_MINUS_ONE = {3, 5, 11, 13, 41, 89, 317, 337}  # OEIS A006794


@pytest.mark.parametrize(("change", "primes"), [(1, PRIMORIAL_PLUS_ONE), (-1, PRIMORIAL_MINUS_ONE)])
def test_primorials_and_their_neighbours_are_called_what_they_are(change: int, primes: set[int]) -> None:
    for p in oracle.primes(400):
        n = int(gmpy2.primorial(p)) + change
        composite = examine(str(n)).verdict is Verdict.COMPOSITE
        assert composite == (p not in primes and n > 1), p
        assert not composite or wrong([n]) == []


@pytest.mark.parametrize("start", [2**31, 2**32, 10**12, 10**100])
def test_squares_and_products_of_close_primes_are_shown_to_be_composite(start: int) -> None:
    p = prime_after(start)
    assert wrong([p * p, p * prime_after(p), p**3]) == []


@given(st.integers(2, 10**60), st.integers(2, 10**60))
def test_any_product_is_shown_to_be_composite(a: int, b: int) -> None:
    assert wrong([a * b]) == []


def test_a_number_made_to_pass_all_small_bases_is_shown_to_be_composite_by_another() -> None:
    n = ARNAULT
    assert all(oracle.passes_strong_test(n, base) for base in oracle.primes(300))
    evidence = examine(str(n)).evidence
    assert isinstance(evidence, Witness) and evidence.base > 300
    assert shown(n, evidence)


def test_a_prime_has_no_witness_and_asking_for_one_is_an_error() -> None:
    with pytest.raises(ArithmeticError, match="no witness for a number of 127 bits"):
        find_witness(gmpy2.mpz(2**127 - 1))


@given(st.integers(-5, 10**6), st.builds(Factor, st.integers(-1, 2_000)) | st.builds(Witness, st.integers(0, 2_000)))
def test_what_holds_is_what_the_textbook_says(n: int, evidence: Evidence) -> None:
    assert holds(n, evidence) == (n > 2 and shown(n, evidence))


@given(st.builds(Factor, st.integers(0, 2**64 - 1)) | st.builds(Witness, st.integers(0, 2**64 - 1)))
def test_evidence_travels_as_it_is(evidence: Evidence) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(evidence), type=Evidence) == evidence
