"""Curves have as many points as the traces say, and small primes are taken out of these numbers."""

from math import prod

import gmpy2
import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from services.worker.prove.ecpp.discriminants import signed_primes
from services.worker.prove.ecpp.orders import is_probable_prime, primorial, small_parts, smooth_orders, solve_norm, traces
from services.worker.prove.ecpp.residues import square_roots
from tests.unit.oracle import primes
from tests.unit.worker.prove.ecpp.numbers import prime


def roots(discriminant: int, n: mpz) -> dict[int, mpz]:
    signed = signed_primes(discriminant)
    return dict(zip(signed, square_roots(signed, n), strict=True))


def usable(discriminant: int, n: mpz) -> bool:
    return all(gmpy2.jacobi(p, n) == 1 for p in signed_primes(discriminant))


@pytest.mark.parametrize("discriminant", [-3, -4, -7, -8, -15, -20, -23, -84, -163])
def test_n_is_a_norm_exactly_where_a_search_finds_it_to_be_one(discriminant: int) -> None:
    for p in primes(2_000)[20:]:
        n = mpz(p)
        if discriminant % p == 0:
            continue
        expected = {t for t in range(int(gmpy2.isqrt(4 * n)) + 1) if norm(t, discriminant, p)}
        found = set(map(abs, traces(n, discriminant, roots(discriminant, n)))) if usable(discriminant, n) else set()
        assert found == expected, (p, discriminant)


def norm(t: int, discriminant: int, n: int) -> bool:
    square, rest = divmod(4 * n - t * t, -discriminant)
    return not rest and gmpy2.is_square(square)


@given(st.sampled_from([-7, -11, -88, -163, -427]), st.integers(1, 60))
def test_a_large_solution_solves_the_equation(discriminant: int, seed: int) -> None:
    n = prime(60, seed)
    if usable(discriminant, n):
        root = prod(roots(discriminant, n).values()) % n
        solution = solve_norm(n, discriminant, root)
        if solution:
            assert solution[0] ** 2 - discriminant * solution[1] ** 2 == 4 * n


@given(st.lists(st.integers(1, 10**30), min_size=1, max_size=9))
def test_small_parts_are_all_that_small_primes_divide(numbers: list[int]) -> None:
    small = primes(1 << 8)
    for number, part in zip(numbers, small_parts([mpz(number) for number in numbers], primorial(8)), strict=True):
        expected = 1
        for p in small:
            while number % (expected * p) == 0:
                expected *= p
        assert part == expected


def test_orders_lead_to_numbers_that_are_smaller_but_not_too_small() -> None:
    n = prime(120, 1)
    discriminants = [d for d in (-3, -4, -7, -8, -11, -19, -20, -24, -35, -40, -43, -51, -52, -67, -163) if usable(d, n)]
    known = {p: root for d in discriminants for p, root in roots(d, n).items()}
    found = smooth_orders(n, discriminants, known)
    assert found
    for _, t, s in found:
        assert (n + 1 - t) % s == 0
        assert gmpy2.isqrt(n) < (n + 1 - t) // s < n // 4


def test_primes_pass_and_pseudoprimes_do_not() -> None:
    assert is_probable_prime(prime(100, 1))
    assert not is_probable_prime(mpz(3_215_031_751))  # a strong pseudoprime to the bases 2, 3, 5 and 7
    assert not is_probable_prime(prime(50, 1) * prime(50, 2))
