"""Square roots modulo primes of every kind, and what is said where there is none."""

import gmpy2
import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from services.worker.prove.ecpp.residues import square_root, square_roots

PRIMES = [mpz(p) for p in (5, 7, 13, 17, 97, 193, 2**16 + 1, 3 * 2**30 + 1, 2**61 - 1, 10**40 + 121)]


@given(st.sampled_from(PRIMES), st.integers(1, 10**50))
def test_a_square_has_its_root(p: mpz, x: int) -> None:
    root = square_root(mpz(x) * x, p)
    assert root * root % p == x * x % p


def test_several_numbers_have_theirs() -> None:
    p = mpz(10**40 + 121)
    numbers = [x for x in range(-50, 50) if x and gmpy2.jacobi(x, p) == 1]
    assert [root * root % p for root in square_roots(numbers, p)] == [x % p for x in numbers]


@pytest.mark.parametrize("n", [mpz(97) * 89, mpz(2**61 - 1) * (2**31 - 1), mpz(10**20 + 39) * (10**20 + 129)])
def test_of_composites_it_is_said_that_they_are_not_prime(n: mpz) -> None:
    numbers = [x for x in range(2, 50) if gmpy2.jacobi(x, n) == 1]
    with pytest.raises(ArithmeticError, match="n is not prime"):
        list(square_roots(numbers, n))
