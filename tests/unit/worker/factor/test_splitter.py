"""A process finds divisors of composite numbers until its time is over, and ends with whoever asked."""

import subprocess
import sys
import time
from pathlib import Path

import gmpy2
from gmpy2 import mpz

from services.worker.compute.primes import ignore
from services.worker.factor import factorization
from services.worker.factor.split import CURVES, by_predecessor
from services.worker.factor.splitter import Splitter
from tests.integration.processes import children, killed_at_last, state
from tests.integration.waiting import wait_until

ROOT = Path(__file__).parents[4]

P6, P12, P20, P25 = (mpz(10) ** digits + next for digits, next in ((5, 3), (11, 3), (19, 51), (24, 7)))
P60, Q60 = mpz(10) ** 59 + 19, gmpy2.next_prime(3 * mpz(10) ** 59)

# Hours' work.
LONG = (
    "import gmpy2; from services.worker.factor.splitter import Splitter; "
    "p = gmpy2.next_prime(gmpy2.mpz(10) ** 59); Splitter(1_000).split(p * gmpy2.next_prime(3 * p))"
)

# Two factors of 25 digits, in as little memory as a child may be given.
SMALL = (
    "import resource; from gmpy2 import mpz; from services.worker.factor.splitter import Splitter; "
    "resource.setrlimit(resource.RLIMIT_AS, (128 << 20, 128 << 20)); "
    "print(Splitter().split((mpz(10) ** 24 + 7) * (mpz(10) ** 24 + 49)))"
)


def test_finds_factors_of_6_12_20_and_25_digits() -> None:
    with Splitter() as splitter:
        factors = factorization.factor(P6 * P12 * P20 * P25, ignore, splitter.split).factors
    assert factors is not None
    assert [(mpz(part.number), part.multiplicity) for part in factors.found] == [(P6, 1), (P12, 1), (P20, 1), (P25, 1)]
    assert factors.complete


def test_finds_a_factor_of_12_digits_beside_large_ones_by_curves() -> None:
    with Splitter() as splitter:
        divisors = {splitter.split(P12 * P60 * Q60)}
    assert divisors & {P12, P60 * Q60}


def test_finds_a_factor_whose_predecessor_is_smooth() -> None:
    smooth = next(p for k in range(1, 1_000) if gmpy2.is_prime(p := k * gmpy2.primorial(120) + 1))
    assert by_predecessor(smooth * P60) == smooth
    assert by_predecessor(P60 * Q60) is None
    assert by_predecessor(smooth) is None, "it is the number itself"


def test_the_bounds_of_curves_rise() -> None:
    assert list(CURVES) == sorted(CURVES)


def test_gives_up_when_its_time_is_over() -> None:
    started = time.monotonic()
    with Splitter(1) as splitter:
        assert splitter.split(P60 * Q60) is None
        assert splitter.split(P6 * P60) is None, "what has ended stays ended"
        assert splitter._process is not None
        assert splitter._process.wait() < 0
    assert time.monotonic() - started > 1


def test_no_process_is_started_for_what_needs_none() -> None:
    with Splitter() as splitter:
        factorization.factor(mpz(2) ** 63 * 97, ignore, splitter.split)
        assert splitter._process is None


def test_the_least_memory_of_a_child_is_enough() -> None:
    done = subprocess.run([sys.executable, "-c", SMALL], cwd=ROOT, capture_output=True, text=True, check=True)
    assert mpz(done.stdout) in (mpz(10) ** 24 + 7, mpz(10) ** 24 + 49)


def test_the_process_ends_with_whoever_asked() -> None:
    asker = subprocess.Popen([sys.executable, "-c", LONG], cwd=ROOT)
    with killed_at_last(asker):
        (searching,) = wait_until(lambda: children(asker.pid), "the search runs")
        asker.kill()
        asker.wait()
        wait_until(lambda: not state(searching), "it ends too")
