"""What the values on the way to that of an expression cost is told before they are computed."""

import pytest

from services.jobs import expression
from services.jobs.evaluation import effort


def told(text: str) -> tuple[float, float]:
    """Bits of the value, and the effort."""
    tree = expression.read(text, 10_000).tree
    return tree.bits, effort(tree)


@pytest.mark.parametrize(("n", "k", "least"), [("100000", 6_121, 5), ("100000", 100_000 - 6_121, 5), ("10^30", 300, 1.2)])
def test_a_binomial_coefficient_of_many_factors_costs_more_than_its_bits(n: str, k: int, least: float) -> None:
    bits, cost = told(f"binomial({n},{k})")
    assert least * bits < cost < 2 * least * bits


@pytest.mark.parametrize("text", ["binomial(33222,16611)", "binomial(10^30,0)", "3248!", "fib(47851)"])
def test_other_values_cost_what_their_bits_tell(text: str) -> None:
    bits, cost = told(text)
    assert bits <= cost <= bits + 100  # of the operands
