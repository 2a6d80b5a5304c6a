"""Every operation has its own computation, and an unknown one has none."""

from typing import cast

import gmpy2
import pytest

from services.jobs.messages import Divisor, Factors, Operation, Verdict
from services.worker.compute import neighbours
from services.worker.compute.operations import OPERATIONS, UnknownOperation, perform
from services.worker.compute.primes import Finding, examine_large, ignore


def test_every_operation_has_a_computation() -> None:
    assert set(OPERATIONS) == set(Operation)


def test_no_two_operations_share_a_computation() -> None:
    assert len(set(OPERATIONS.values())) == len(OPERATIONS)


def test_an_unknown_operation_is_an_error_and_no_other_operations_answer() -> None:
    semiprime = cast(Operation, "is_semiprime")  # as of a version to come
    with pytest.raises(UnknownOperation, match="expected one of is_prime, next_prime, previous_prime, factor, came 'is_semiprime'"):
        perform(semiprime, gmpy2.mpz(97), ignore)


def test_examines_the_number_itself_and_finds_no_other() -> None:
    assert perform(Operation.IS_PRIME, gmpy2.mpz(91), ignore) == ("", examine_large(gmpy2.mpz(91)))


def test_notes_what_is_known_of_the_number_before_the_last_test() -> None:
    notes: list[Finding] = []
    perform(Operation.IS_PRIME, gmpy2.mpz(2**127 - 1), notes.append)
    assert [note.method for note in notes] == ["strong test to base 2", "BPSW"]


def test_factors_the_number_itself_and_finds_no_other() -> None:
    number, finding = perform(Operation.FACTOR, gmpy2.mpz(91), ignore)
    assert (number, finding._replace(factors=None)) == ("", examine_large(gmpy2.mpz(91)))
    assert finding.factors == Factors([Divisor("7", 1, Verdict.PRIME), Divisor("13", 1, Verdict.PRIME)])


def test_finds_the_primes_on_both_sides() -> None:
    assert perform(Operation.NEXT_PRIME, gmpy2.mpz(96), ignore) == ("97", neighbours.next_prime(gmpy2.mpz(96))[1])
    assert perform(Operation.PREVIOUS_PRIME, gmpy2.mpz(96), ignore)[0] == "89"


@pytest.mark.parametrize("number", ["2", "1", "0", "-7", "-" + "9" * 100])
def test_no_prime_is_below_two(number: str) -> None:
    prime, finding = perform(Operation.PREVIOUS_PRIME, gmpy2.mpz(number), ignore)
    assert (prime, finding.verdict) == ("", Verdict.NEITHER)
