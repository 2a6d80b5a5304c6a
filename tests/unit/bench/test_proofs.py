"""The programs whose proofs are compared prove, and what is measured of them is the proof."""

import gmpy2
import pytest

from tests.bench import proofs
from tests.bench.engine import Computer, Plan
from tests.bench.provers import PROVERS, missing

INSTALLED = sorted(PROVERS.keys() - missing().keys())  # `make bench-proofs` installs sympy
PRIMES = [str(gmpy2.next_prime(gmpy2.mpz(10) ** digits)) for digits in (24, 39)]


@pytest.mark.parametrize("name", INSTALLED)
def test_every_prover_proves_and_takes_its_time(name: str) -> None:
    with Computer(name, "tests.bench.provers") as computer:
        report = computer.measure(PRIMES, 10)
    assert report.prime == [True, True]
    assert 0 < report.nanoseconds < 10e9


def test_the_table_has_a_row_for_each_prover_and_a_cell_for_each_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(proofs.COUNTS, 30, 2)
    plan = Plan((30, 50), 1, 10)
    monkeypatch.setitem(proofs.COUNTS, 50, 1)
    results = proofs.run(plan, ["ours", "flint"])
    assert list(results.disagreements()) == []
    rows = [line for line in proofs.describe(results, plan, ["ours", "flint"]) if line.startswith("|")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| primes, as the lane of proofs does it", "| python-flint `is_prime`"]
    assert {row.count("|") for row in rows} == {5}
