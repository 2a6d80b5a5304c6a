"""The commands that measure the engine and the lanes count right, bound what is slow, and write their page."""

import math
from importlib.util import find_spec

import gmpy2
import pytest

from tests.bench import engine, flood
from tests.bench.engine import Computer, Results, TooSlow
from tests.bench.observed import Histogram
from tests.bench.open_loop import Waits
from tests.bench.testers import TESTERS

# `make bench-engine` installs sympy, and compares the verdicts of all.
INSTALLED = sorted(TESTERS if find_spec("sympy") else TESTERS.keys() - {"sympy"})


@pytest.mark.parametrize("name", INSTALLED)
def test_every_tester_tells_primes_from_composites(name: str) -> None:
    with Computer(name) as computer:
        assert computer.measure(["97", "91", str(2**61 - 1), str(2**67 - 1)], 10).prime == [True, False, True, False]


def test_a_tester_that_takes_too_long_is_ended_and_the_next_question_gets_a_new_one() -> None:
    with Computer("pari-proof") as computer:
        with pytest.raises(TooSlow):
            computer.measure([(gmpy2.mpz(10) ** 999 + 7).digits()], 1)
        assert computer.measure(["97"], 10).prime == [True]


def test_a_disagreement_is_told() -> None:
    results = Results()
    results.verdicts["91"] = {"made to be": False, "ours": False}
    assert list(results.disagreements()) == []
    results.verdicts["91"]["sympy"] = True
    assert list(results.disagreements()) == ["91: made to be: composite, ours: composite, sympy: prime"]


@pytest.mark.parametrize(("digits", "kind"), [(10, "prime"), (10, "composite"), (50, "prime"), (300, "composite")])
def test_the_numbers_are_what_they_are_called(digits: int, kind: str) -> None:
    drawn = list(engine.draw(digits, kind))
    assert {len(number) for number in drawn} == {digits}
    assert {gmpy2.is_prime(gmpy2.mpz(number)) for number in drawn} == {kind == "prime"}
    assert drawn == list(engine.draw(digits, kind))


def test_the_numbers_of_the_flood_are_composites_of_the_digits_that_were_asked_for() -> None:
    numbers = flood.composites(101)
    assert {len(number) for number in numbers} == {101}
    assert len(set(numbers)) == len(numbers) == 400
    assert not any(gmpy2.is_prime(gmpy2.mpz(number)) for number in numbers)


@pytest.mark.parametrize(
    ("nanoseconds", "text"), [(840, "0.84 µs"), (7_900, "7.9 µs"), (68e6, "68 ms"), (2.04e9, "2.0 s"), (2e11, "200 s")]
)
def test_durations_have_two_digits_and_a_unit(nanoseconds: float, text: str) -> None:
    assert engine.duration(nanoseconds) == text


def test_the_page_keeps_what_is_around_the_table() -> None:
    page = f"before\n{engine.BEGIN}\nold\n{engine.END}\nafter\n"
    assert engine.replace(page, "new") == f"before\n{engine.BEGIN}\n\nnew\n\n{engine.END}\nafter\n"
    with pytest.raises(ValueError, match="expected '<!-- measured by"):
        engine.replace("nothing", "new")


def test_a_quantile_is_a_wait_that_was_seen() -> None:
    waits = Waits([0.4, 0.1, 0.3, 0.2], asked=5)
    assert [waits.quantile(share) for share in (0.25, 0.5, 0.99, 1)] == [0.1, 0.2, 0.4, 0.4]
    assert waits.lost == 1


def test_a_histogram_tells_what_was_observed_between_two_looks() -> None:
    before, after = Histogram({0.01: 5, 0.05: 6, math.inf: 6}), Histogram({0.01: 94, 0.05: 105, math.inf: 106})
    seen = Histogram({}) + (after - before)
    assert (seen.count, seen.above(0.05)) == (100, 1)
    assert (seen.quantile(0.5), seen.quantile(0.99), seen.quantile(1)) == (0.01, 0.05, math.inf)
    assert math.isnan(Histogram({}).quantile(0.99))
