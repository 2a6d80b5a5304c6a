"""Certificates by factors that are searched for hold, for us and for PARI; where too few are found there is none."""

import random
import subprocess
import sys
from pathlib import Path

import gmpy2
import pytest
from gmpy2 import mpz

from certificates import Kind, read, verify
from certificates.small import BASES_BOUND
from services.worker.prove.search import certify

ROOT = Path(__file__).parents[4]

PARI = """
import sys
from cypari import pari
for line in sys.stdin:
    assert pari(line).primecertisvalid() == 1, line
"""


WITHOUT_FILES = """
import resource, sys
from gmpy2 import mpz
from services.jobs.expression import read
from services.worker.factor.factorization import _split_word
from services.worker.prove.factored import hints
from services.worker.prove.search import certify
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
print(certify(mpz(sys.argv[1])).decode())
assert {4294967291, 1000003} <= hints(read(f"{4294967291 * 1000003}^3+2", 1_000).tree)
assert _split_word(mpz(4294967291 * 4294967279)) in (4294967291, 4294967279)
"""


def primes(digits: int, count: int) -> list[mpz]:
    """Primes at random, the same ones each time."""
    chance = random.Random(digits)
    return [gmpy2.next_prime(mpz(chance.randrange(10 ** (digits - 1), 10**digits))) for _ in range(count)]


def test_what_is_found_proves_the_number_for_us_and_by_n_minus_1_for_pari() -> None:
    texts = []
    for digits in (25, 27, 30, 35, 39, 45, 50):
        for n in primes(digits, 20):
            if text := certify(n):
                certificate = read(text)
                verify(certificate)
                assert certificate.n == n
                texts += [text] if certificate.kind is Kind.N_MINUS_1 else []
    assert any(b", [" in text[text.index(b"[", 1) + 1 :] for text in texts), "none has a factor with a certificate of its own"
    subprocess.run([sys.executable, "-c", PARI], input=b"\n".join(texts), cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize(("digits", "share"), [(25, 0.9), (30, 0.7), (39, 0.5), (50, 0.1)])
def test_most_primes_of_few_digits_are_proven_so(digits: int, share: float) -> None:
    numbers = primes(digits, 40)
    assert sum(bool(certify(n)) for n in numbers) >= share * len(numbers)


@pytest.mark.parametrize("exponent", [89, 107, 127, 521, 607])
def test_numbers_of_mersenne_are_proven_by_the_power_of_two(exponent: int) -> None:
    n = mpz(2) ** exponent - 1
    certificate = read(certify(n))
    verify(certificate)
    assert certificate.n == n


@pytest.mark.parametrize("n", [mpz(10) ** 99 + 289, gmpy2.next_prime(mpz(10) ** 400)])
def test_where_too_few_factors_are_found_there_is_no_certificate(n: mpz) -> None:
    assert certify(n) == b""


def test_no_file_is_needed() -> None:
    """A container has none that could be written: FLINT's sieve keeps one, and ends the process without it."""
    p = next(p for q in primes(12, 100) for r in primes(13, 20) if gmpy2.is_prime(p := 2 * q * r + 1) and p < BASES_BOUND)
    n = next(n for k in range(1, 10_000) if gmpy2.is_prime(n := 2 * k * p + 1))
    command = [sys.executable, "-c", WITHOUT_FILES, str(n)]
    done = subprocess.run(command, cwd=ROOT, check=True, timeout=60, capture_output=True)
    certificate = read(done.stdout)
    verify(certificate)
    assert certificate.n == n and str(p) in done.stdout.decode()
