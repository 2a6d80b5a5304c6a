"""The primes next to an integer are the next ones, with what is known of them."""

import random
from bisect import bisect_left, bisect_right

import gmpy2
import pytest

from services.jobs.messages import Verdict
from services.worker.compute.neighbours import next_prime, previous_prime
from services.worker.compute.primes import BASES_BOUND
from tests.unit import oracle

SMALL = 100_000
REACH = 300  # integers on each side of a large one: several gaps between primes
SIEVED = oracle.primes(SMALL + 100)


def test_finds_the_next_prime_of_every_integer_below_100_000() -> None:
    assert [n for n in range(-3, SMALL) if next_prime(gmpy2.mpz(n))[0] != SIEVED[bisect_right(SIEVED, n)]] == []


def test_finds_the_previous_prime_of_every_integer_below_100_000() -> None:
    assert [n for n in range(3, SMALL) if previous_prime(gmpy2.mpz(n))[0] != SIEVED[bisect_left(SIEVED, n) - 1]] == []


@pytest.mark.parametrize("middle", [2**32, 2**63, 10**19, 2**64, 10**22, BASES_BOUND - REACH])
def test_agrees_with_the_oracle_around(middle: int) -> None:
    primes = [n for n in range(middle - REACH, middle + REACH) if oracle.is_prime(n)]
    inside = range(primes[0], primes[-1])
    assert [n for n in inside if next_prime(gmpy2.mpz(n))[0] != primes[bisect_right(primes, n)]] == []
    assert [n for n in inside if previous_prime(gmpy2.mpz(n + 1))[0] != primes[bisect_left(primes, n + 1) - 1]] == []


def test_agrees_with_another_engine_across_the_bound_of_what_is_proven_cheaply() -> None:
    p = gmpy2.next_prime(gmpy2.mpz(BASES_BOUND - REACH))
    while p < BASES_BOUND + REACH:
        following, finding = next_prime(p)
        assert following == gmpy2.next_prime(p)
        assert previous_prime(following)[0] == p
        assert finding.verdict is (Verdict.PRIME if following < BASES_BOUND else Verdict.PROBABLY_PRIME)
        p = following


@pytest.mark.parametrize("digits", [19, 20, 40, 100])
def test_agrees_with_another_engine_on_large_integers(digits: int) -> None:
    pseudo = random.Random(digits)
    for _ in range(20):
        n = gmpy2.mpz(pseudo.randrange(10 ** (digits - 1), 10**digits))
        p, _finding = next_prime(n)
        assert p == gmpy2.next_prime(n)
        assert previous_prime(p + 1)[0] == p
        assert previous_prime(p)[0] <= n


def test_tells_a_proven_prime_from_a_probable_one() -> None:
    assert next_prime(gmpy2.mpz(96))[1].verdict is Verdict.PRIME
    assert previous_prime(gmpy2.mpz(10**30))[1].verdict is Verdict.PROBABLY_PRIME


# Each gap is larger than all before it: the primes below them, by T. Oliveira e Silva and others (OEIS A002386 and A005250).
MAXIMAL_GAPS = {
    113: 14, 1_327: 34, 31_397: 72, 370_261: 112, 2_010_733: 148, 20_831_323: 210, 436_273_009: 282, 4_302_407_359: 354,
    42_652_618_343: 464, 461_690_510_011: 532, 1_346_294_310_749: 582, 19_581_334_192_423: 766, 218_209_405_436_543: 906,
    1_693_182_318_746_371: 1_132, 43_841_547_845_541_059: 1_184, 305_405_826_521_087_869: 1_272, 804_212_830_686_677_669: 1_442,
    1_425_172_824_437_699_411: 1_476, 5_733_241_593_241_196_731: 1_488, 6_787_988_999_657_777_797: 1_510,
    15_570_628_755_536_096_243: 1_526, 17_678_654_157_568_189_057: 1_530, 18_361_375_334_787_046_697: 1_550,
}  # fmt: skip


@pytest.mark.parametrize(("p", "gap"), MAXIMAL_GAPS.items())
def test_maximal_gaps_are_crossed_both_ways(p: int, gap: int) -> None:
    above, finding = next_prime(gmpy2.mpz(p))
    assert (above, finding.verdict) == (p + gap, Verdict.PRIME)
    assert next_prime(gmpy2.mpz(p + 1))[0] == p + gap
    assert previous_prime(gmpy2.mpz(p + gap))[0] == previous_prime(gmpy2.mpz(p + 1))[0] == p
