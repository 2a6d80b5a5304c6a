"""Sizes are at least those of the values, and little more, so that what may be asked is not refused."""

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.jobs import sizes
from services.jobs.evaluation import evaluate
from services.jobs.sizes import FUNCTIONS, Node

KNOWN = 10**19 - 1  # while reading: a number of 20 digits may be above 2^64


def node(value: int) -> Node:
    number = sizes.number(str(abs(value)))
    return number if value >= 0 else sizes.join("-", number)


def looseness(operator: str, *operands: Any) -> float:
    """Bits by which the size is above that of the value, which is right where it is known."""
    joined = sizes.join(operator, *map(node, operands))
    value = int(evaluate(joined))
    assert joined.value in (value, None)
    assert joined.size >= joined.bits
    return joined.bits - math.log2(max(abs(value), 1))


@given(st.sampled_from(["fib", "fibonacci", "luc", "lucas"]), st.integers(0, 60_000))
def test_of_fibonacci_and_lucas_numbers(name: str, n: int) -> None:
    assert -1e-6 < looseness(name, n) < 2.5


@given(st.integers(0, 5_000), st.integers(1, 5_000) | st.integers(1, 5))
def test_of_multifactorials(n: int, m: int) -> None:
    assert -1e-6 < looseness("!", n, m) < 2


@given(st.integers(1, KNOWN), st.integers(1, 40))
def test_of_multifactorials_of_few_large_factors(n: int, factors: int) -> None:
    assert -1e-6 < looseness("!", n, max(n // factors, 1)) < 2


@given(st.integers(0, 3_000) | st.integers(0, KNOWN), st.integers(0, 1_500), st.booleans())
def test_of_binomial_coefficients(n: int, k: int, high: bool) -> None:
    assume(not high or n >= k)
    assert -1e-6 < looseness("binomial", n, n - k if high else k) < 12


@given(st.integers(1, 400), st.integers(2, 50) | st.integers(2, KNOWN), st.booleans())
def test_of_cyclotomic_polynomials(n: int, x: int, negative: bool) -> None:
    assert -1e-6 < looseness("Phi", n, -x if negative else x) < 4


@given(st.integers(1, 10_000))
def test_of_primes(n: int) -> None:
    assert abs(looseness("p", n)) < 1e-6


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_computed(name: str) -> None:
    operands = [node(6), node(3)][: FUNCTIONS[name].operands]
    assert sizes.join(name, *operands).value == evaluate(sizes.join(name, *operands))
    assert FUNCTIONS[name].call.count(",") == FUNCTIONS[name].operands - 1
