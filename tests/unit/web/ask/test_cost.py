"""The estimate of a job's cost, and the lane that follows from it."""

import pytest

from services.jobs import turn
from services.jobs.names import Lane
from services.web.ask import cost
from services.web.ask.cost import estimate, lane
from services.web.queue.ledger import ENTRY_COST


def test_never_falls_with_more_digits() -> None:
    estimates = [estimate("9" * digits) for digits in range(1, 10_001)]
    assert estimates == sorted(estimates)


def test_rises_from_twenty_digits_on() -> None:
    estimates = [estimate("9" * digits) for digits in range(20, 1_001)]
    assert len(set(estimates)) == len(estimates)


def test_every_number_costs_something() -> None:
    assert estimate("2") == cost.BASE > 0


@pytest.mark.parametrize(("digits", "microseconds"), [(100, 400), (300, 6_235), (1_000, 126_491), (3_000, 1_971_801)])
def test_is_within_the_factor_of_three_that_a_guess_may_be_off(digits: int, microseconds: int) -> None:
    # measured with gmpy2.is_prime, see the design: 0.4 ms, 3 ms, 68 ms, 2 s
    measured = {100: 400, 300: 3_000, 1_000: 68_000, 3_000: 2_000_000}[digits]
    assert estimate("9" * digits) == microseconds + cost.BASE
    assert measured / 3 < estimate("9" * digits) < measured * 3


def test_the_lane_changes_at_the_bound() -> None:
    assert lane(cost.QUICKEST_HEAVY - 1) is Lane.QUICK
    assert lane(cost.QUICKEST_HEAVY) is Lane.HEAVY


@pytest.mark.parametrize(("digits", "expected"), [(1, Lane.QUICK), (19, Lane.QUICK), (109, Lane.QUICK), (110, Lane.HEAVY)])
def test_numbers_of_up_to_109_digits_are_quick(digits: int, expected: Lane) -> None:
    assert lane(estimate("9" * digits)) is expected


def test_no_two_heavy_jobs_fit_into_one_entry() -> None:
    cheapest = min(estimate("9" * digits) for digits in range(1, 1_000) if lane(estimate("9" * digits)) is Lane.HEAVY)
    assert 2 * cheapest > ENTRY_COST


@pytest.mark.parametrize(
    ("expression", "least"), [("2^127-1", 20), ("+".join(["fib(64)"] * 66), 700), ("+".join(["1"] * 100), 200)]
)
def test_an_expression_costs_what_it_takes_to_read_it(expression: str, least: int) -> None:
    # measured: 30, 710 and 470 µs, whatever their values
    assert least <= cost.reading(expression) <= 2 * least


def test_a_proof_of_200_digits_is_a_short_one_and_one_of_220_is_not() -> None:
    assert cost.proof(200) <= turn.SHORT_PROOF < cost.proof(220)
