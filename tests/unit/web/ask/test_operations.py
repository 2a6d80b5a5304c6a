"""The table of operations: what the web side knows of each."""

import pytest

from services.jobs.messages import Operation, Wanted
from services.web.ask.cost import estimate
from services.web.ask.operations import OPERATIONS
from services.web.v1 import requests
from services.web.v1.calls import Asked, Limits


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
def test_every_operation_takes_a_proof(operation: Operation, wanted: Wanted) -> None:
    request = f'{{"jsonrpc": "2.0", "id": 1, "method": "{operation}", "params": {{"number": "97", "proof": true}}}}'
    ((call,),) = requests.read(request, Limits(100, 100)).turns
    assert isinstance(call, Asked)
    assert call.question.wanted is wanted


@pytest.mark.parametrize("operation", [Operation.NEXT_PRIME, Operation.PREVIOUS_PRIME])
def test_a_neighbour_costs_two_tests_and_one_for_every_four_digits(operation: Operation) -> None:
    number = "9" * 100
    assert estimate(number, operation) == 27 * estimate(number)
