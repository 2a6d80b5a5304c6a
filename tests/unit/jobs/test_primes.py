"""The first primes are those that trial division finds, and as many as are told."""

from services.jobs import primes
from tests.unit import oracle


def test_the_first_primes_are_those_that_trial_division_finds() -> None:
    assert primes.first()[:1_000] == oracle.primes(7_920)[:1_000]


def test_there_are_as_many_as_are_told() -> None:
    assert len(primes.first()) == primes.MOST
    assert primes.first()[-1] == 104_729
