"""PARI certifies every prime, in a program of its own that says in a sentence and a status why there is no certificate."""

import io
import resource
import signal
import subprocess
import sys
from pathlib import Path

import gmpy2
import msgspec
import pytest
from gmpy2 import mpz

from certificates import Chain, Kind, Pocklington, read, verify
from services.worker.prove.certify import Failure, Made, Route, Status, certify
from services.worker.prove.proof import receive
from tests.unit.worker.compute.test_primes import ARNAULT

ROOT = Path(__file__).parents[4]
DIGITS_30 = 10**29 + 319

# What only a process with PARI can do; one process for all, since each takes a while to start.
EVERY_PRIME = """
import sys
from gmpy2 import is_prime, mpz, next_prime
from services.worker.prove.certify import Route, certify
from services.worker.prove.proof import checked
from certificates import read, verify
from cypari import pari
numbers = [mpz(2)]
for start in (0, 2**16, 2**32, 2**62, 2**64 - 200, 2**64 - 60, 2**64, 2**81, 10**24, 10**25, 10**40):
    numbers += [p := next_prime(start), p := next_prime(p), next_prime(p)]
for n in [*filter(is_prime, range(200)), *numbers]:
    for kind in Route:
        made = certify(mpz(n), kind, 16)
        proof = checked(mpz(n), made.pari)
        assert proof.primo or proof.kind == "N-1"
        if proof.primo:
            certificate = read(proof.primo)
            verify(certificate)
            assert certificate.n == n, (n, proof.primo)
        assert pari(made.pari.decode()).primecertisvalid() == 1, (n, made.pari)
print(len(numbers))
"""


def program(*arguments: str, stdin: bytes = b"", address_space: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end."""
    limit = (lambda: resource.setrlimit(resource.RLIMIT_AS, (address_space << 20,) * 2)) if address_space else None
    command = [sys.executable, "-m", "services.worker.prove.certify", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=ROOT, check=False, timeout=60, preexec_fn=limit)


def test_every_prime_gets_a_certificate_that_both_our_verifier_and_paris_accept() -> None:
    ran = subprocess.run([sys.executable, "-c", EVERY_PRIME], capture_output=True, cwd=ROOT, check=False, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, b"34\n"), ran.stderr.decode()


def test_both_texts_of_a_certificate_are_printed_on_demand() -> None:
    primo, pari = program(str(DIGITS_30)), program(str(DIGITS_30), "--format", "pari")
    assert (primo.returncode, primo.stderr, pari.returncode, pari.stderr) == (0, b"", 0, b"")
    assert primo.stdout.startswith(b"[PRIMO - Primality Certificate]\nFormat=4\nTestCount=2\n")
    assert pari.stdout.startswith(b"[[100000000000000000000000000319, ")
    for text in (primo.stdout, pari.stdout):
        certificate = read(text)
        verify(certificate)
        assert (certificate.n, certificate.kind, certificate.length) == (DIGITS_30, Kind.ECPP, 2)


def ask_all(*numbers: int, memory: int = 16) -> list[Made | Failure]:
    """What it answers one after another."""
    frames = b"".join(len(text := str(n).encode()).to_bytes(4, "big") + text for n in numbers)
    ran = program("--serve", "--memory", str(memory), stdin=frames)
    assert (ran.returncode, ran.stderr) == (0, b"")
    source = io.BytesIO(ran.stdout)
    answers = [msgspec.msgpack.decode(receive(source), type=Made | Failure) for _ in numbers]
    assert not source.read()
    return answers


def test_the_worker_gets_a_text_of_one_number_after_another() -> None:
    for made, n in zip(ask_all(97, DIGITS_30, 97), (97, DIGITS_30, 97), strict=True):
        assert isinstance(made, Made)
        assert read(made.pari).n == n


def test_a_number_may_come_by_standard_input() -> None:
    assert read(program("-", stdin=b"97\n").stdout) == Chain(mpz(97))


def test_what_is_not_prime_or_takes_too_much_memory_is_told_and_the_next_number_is_certified() -> None:
    composites = [0, 1, 4, 91, 561, -7, 2**67 - 1, ARNAULT]
    *refused, short, made = ask_all(*composites, 10**149 + 183, 97, memory=2)
    assert refused == [Failure(Status.NOT_PRIME, "the number is not prime")] * len(composites)
    assert isinstance(short, Failure)
    assert short.status == Status.OUT_OF_MEMORY
    assert isinstance(made, Made)


def test_a_certificate_by_n_minus_1_is_paris_alone_and_that_is_said() -> None:
    ran = program(str(DIGITS_30), "--kind", "n-1")
    certificate = read(ran.stdout)
    verify(certificate)
    assert isinstance(certificate, Pocklington)
    assert certificate.length == 2  # with one for a factor of more than 64 bits
    assert ran.stderr.endswith(b"several factors of N-1 or N+1: so this is PARI's text\n")


def test_what_is_not_prime_is_refused_in_words() -> None:
    ran = program("91")
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, b"", b"the number is not prime\n")


def test_too_little_memory_for_paris_stack_is_said() -> None:
    ran = program(str(10**149 + 183), "--memory", "2")
    assert (ran.returncode, ran.stdout) == (4, b"")
    assert ran.stderr.startswith(b"PARI needs more than 2 MiB: ")


def test_a_stack_that_the_process_may_not_have_is_said() -> None:
    ran = program(str(DIGITS_30), "--memory", "1000", address_space=600)
    assert (ran.returncode, ran.stdout) == (4, b"")
    assert ran.stderr.endswith(b"this process may not use 1000 MiB for PARI's stack\n")


@pytest.mark.parametrize("disposition", ["SIG_IGN", "SIG_DFL"])
def test_an_interrupt_that_a_worker_ignores_is_ignored_after_pari_was_loaded_and_else_ends_it(disposition: str) -> None:
    code = (
        f"import signal; signal.signal(signal.SIGINT, signal.{disposition});"
        "from services.worker.prove.certify import load_pari; load_pari(1); signal.raise_signal(signal.SIGINT); print('goes on')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=False, timeout=60)
    assert (ran.returncode, ran.stdout) == ((0, b"goes on\n") if disposition == "SIG_IGN" else (-signal.SIGINT, b""))


@pytest.mark.parametrize("arguments", [["x"], ["1.5"], [""], ["9" * 50_001], ["97", "--memory", "0"], ["97", "--kind", "x"]])
def test_a_bad_command_line_is_refused(arguments: list[str]) -> None:
    ran = program(*arguments)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"usage: python -m services.worker.prove.certify" in ran.stderr


@pytest.mark.parametrize("n", [gmpy2.fac(427) + 1, 3 * mpz(2) ** 2816 + 1, gmpy2.primorial(1019) + 1])
def test_a_large_prime_whose_predecessor_is_made_of_small_primes_is_certified_at_once(n: mpz) -> None:
    made = certify(n, Route.AUTO, 1)
    certificate = read(made.pari)
    verify(certificate)
    assert (certificate.n, certificate.kind, certificate.length) == (n, Kind.N_MINUS_1, 1)
