"""The table of operations: what the web side knows of each."""

import pytest

from services.jobs.messages import Operation, Wanted
from services.jobs.names import Lane
from services.web.ask.cost import QUICKEST_HEAVY, estimate, weigh
from services.web.ask.operations import OPERATIONS, SEARCH
from services.web.v1 import requests
from services.web.v1.calls import Asked, Limits, Rejected


def test_every_operation_has_its_entry() -> None:
    assert set(OPERATIONS) == set(Operation)


@pytest.mark.parametrize("operation", Operation)
def test_clients_of_v1_may_ask_for_every_operation(operation: Operation) -> None:
    request = f'{{"jsonrpc": "2.0", "id": 1, "method": "{operation}", "params": ["97"]}}'
    ((call,),) = requests.read(request, Limits(100, 100)).turns
    assert isinstance(call, Asked)
    assert call.question.operation is operation


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        (Operation.IS_PRIME, Wanted.PROOF),
        (Operation.NEXT_PRIME, Wanted.FOUND_PROOF),
        (Operation.PREVIOUS_PRIME, Wanted.FOUND_PROOF),
    ],
)
def test_every_operation_that_finds_a_prime_takes_a_proof(operation: Operation, wanted: Wanted) -> None:
    request = f'{{"jsonrpc": "2.0", "id": 1, "method": "{operation}", "params": {{"number": "97", "proof": true}}}}'
    ((call,),) = requests.read(request, Limits(100, 100)).turns
    assert isinstance(call, Asked)
    assert call.question.wanted is wanted


@pytest.mark.parametrize("params", ['{"number": "97", "proof": false}', '["97", 9, true]', '{"number": "97", "certificate": true}'])
def test_nothing_is_proven_of_factors(params: str) -> None:
    request = f'{{"jsonrpc": "2.0", "id": 1, "method": "factor", "params": {params}}}'
    ((refused,),) = requests.read(request, Limits(100, 100)).turns
    assert isinstance(refused, Rejected)
    assert refused.message.startswith("Expected params number and perhaps deadline")


@pytest.mark.parametrize("digits", [1, 19, 20, 45, 46, 100, 10_000])
def test_a_search_for_factors_is_never_quick_and_costs_its_budget_at_most(digits: int) -> None:
    tests = 2 * estimate("9" * digits)
    assert weigh(digits, Operation.FACTOR)[1] is Lane.HEAVY
    assert QUICKEST_HEAVY <= estimate("9" * digits, Operation.FACTOR) - tests <= SEARCH


@pytest.mark.parametrize("operation", [Operation.NEXT_PRIME, Operation.PREVIOUS_PRIME])
def test_a_neighbour_costs_two_tests_and_one_for_every_four_digits(operation: Operation) -> None:
    number = "9" * 100
    assert estimate(number, operation) == 27 * estimate(number)
