"""The values of cyclotomic polynomials are those of FLINT's polynomials."""

import flint
import gmpy2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.jobs import cyclotomic


@given(st.integers(1, 500) | st.sampled_from([1_001, 1_155, 2_310, 4_620]), st.integers(-(10**6), 10**6))
def test_values_and_degrees_are_those_of_the_polynomial(n: int, x: int) -> None:
    assume(abs(x) > 1)
    polynomial = flint.fmpz_poly.cyclotomic(n)
    assert cyclotomic.degree(n) == polynomial.degree()
    assert cyclotomic.evaluate(n, x) == cyclotomic.evaluate(n, gmpy2.mpz(x)) == int(polynomial(x))


@pytest.mark.parametrize(("n", "least"), [(9_973, 1), (150_150, 10)])
def test_the_effort_grows_with_what_is_multiplied(n: int, least: float) -> None:
    assert cyclotomic.effort(n, 1.0) >= least * cyclotomic.degree(n)
