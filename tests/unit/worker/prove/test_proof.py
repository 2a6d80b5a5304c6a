"""A proof is made by another process, is checked before it is handed out, and ends with whoever asked for it."""

import hashlib
import io
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from gmpy2 import mpz

from certificates import Kind, read
from services.worker.prove import proof
from services.worker.prove.certify import Failure, Made, Status
from services.worker.prove.proof import Certifier, NotPrime, OutOfMemory, Proof, ProofFailed, checked, receive, unpack
from tests.integration.processes import children, killed_at_last, state
from tests.integration.waiting import wait_until

ROOT = Path(__file__).parents[4]
DIGITS_30 = mpz(10) ** 29 + 319

# A minute's work.
LONG = "import gmpy2; from services.worker.prove.proof import Certifier; Certifier(256).ask(gmpy2.mpz(10) ** 999 + 7)"


def not_in_parts(n: mpz) -> Proof:
    raise ProofFailed("no parts are made here")


def prove(n: mpz, memory: int) -> Proof:
    """With a process of PARI for this number alone."""
    certifier = Certifier(memory)
    try:
        return proof.prove(n, certifier, not_in_parts)
    finally:
        certifier.close()


def framed(answer: bytes) -> bytes:
    return len(answer).to_bytes(4, "big") + answer


def test_a_proof_brings_both_texts_and_the_hash_of_primos() -> None:
    made = prove(DIGITS_30, 16)
    assert (made.kind, made.steps, made.sha256) == (Kind.ECPP, 2, hashlib.sha256(made.primo).hexdigest())
    assert read(made.primo).n == read(made.pari).n == DIGITS_30


def test_a_proof_by_n_minus_1_has_the_hash_of_paris_text() -> None:
    n = 3 * mpz(2) ** 2816 + 1
    made = prove(n, 16)
    assert made == Proof(Kind.N_MINUS_1, hashlib.sha256(f"[{n}, [2]]".encode()).hexdigest(), b"", f"[{n}, [2]]".encode(), 1)


@pytest.mark.parametrize("n", [2, 97, 2**61 - 1])
def test_a_small_prime_is_its_own_proof(n: int) -> None:
    made = prove(mpz(n), 16)
    assert (made.kind, made.steps, made.pari) == (Kind.SMALL, 0, str(n).encode())


@pytest.mark.parametrize("n", [-7, 1, 91, 2**67 - 1])
def test_there_is_no_proof_of_what_is_not_prime(n: int) -> None:
    with pytest.raises(NotPrime, match="the number is not prime"):
        prove(mpz(n), 16)


def test_too_little_memory_is_told_apart() -> None:
    with pytest.raises(OutOfMemory, match="PARI needs more than 2 MiB"):
        prove(mpz(10) ** 149 + 183, 2)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"\x93\xa4made", ProofFailed, "the certifying process said what is no certificate"),
        (msgspec.msgpack.encode(Failure(Status.FAILED, "PARI: a bug")), ProofFailed, "PARI: a bug"),
        (msgspec.msgpack.encode(Failure(Status.OUT_OF_MEMORY, "too little")), OutOfMemory, "too little"),
        (msgspec.msgpack.encode(Failure(Status.NOT_PRIME, "not prime")), NotPrime, "not prime"),
    ],
)
def test_every_other_word_of_the_program_is_an_error(answer: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=f"^{words}$") as caught:
        unpack(answer)
    assert type(caught.value) is error


def test_more_than_the_bound_is_refused_and_less_needs_no_more_memory_than_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert receive(io.BytesIO(framed(b"x" * 100_000))) == b"x" * 100_000
    monkeypatch.setattr(proof, "MOST_BYTES", 50_000)
    assert len(receive(io.BytesIO(framed(b"x" * 50_000)))) == 50_000
    with pytest.raises(ProofFailed, match="expected at most 50000 bytes of a certificate"):
        receive(io.BytesIO(framed(b"x" * 50_001)))


@pytest.mark.parametrize("length", [0, 3, 4, 50])
def test_a_frame_that_ends_early_is_none(length: int) -> None:
    assert receive(io.BytesIO(framed(b"x" * 100)[:length])) == b""


def test_one_process_of_pari_makes_one_proof_after_another_and_another_takes_its_place_when_it_ends() -> None:
    certifier = Certifier(16)
    try:
        process = certifier.start()
        for n in (DIGITS_30, mpz(10) ** 24 + 7, DIGITS_30):
            assert proof.prove(n, certifier, not_in_parts).kind is Kind.ECPP
        with pytest.raises(NotPrime):
            proof.prove(mpz(91), certifier, not_in_parts)
        assert certifier.start() is process

        process.kill()
        process.wait(10)
        assert proof.prove(DIGITS_30, certifier, not_in_parts).kind is Kind.ECPP
        assert certifier.start() is not process
    finally:
        certifier.close()


def test_the_end_of_the_program_in_the_midst_of_a_proof_is_an_error_and_the_next_proof_has_a_new_one() -> None:
    certifier = Certifier(16)
    try:
        process = certifier.start()
        process.send_signal(signal.SIGSTOP)
        killer = threading.Timer(0.2, process.kill)
        killer.start()
        with pytest.raises(ProofFailed, match=r"^the certifying process ended with status -9 and no certificate$"):
            proof.prove(DIGITS_30, certifier, not_in_parts)
        assert proof.prove(DIGITS_30, certifier, not_in_parts).steps == 2
    finally:
        certifier.close()


def test_what_a_search_finds_is_a_proof_and_what_it_does_not_find_is_none() -> None:
    made = proof.search(mpz(2) ** 521 - 1)
    assert made is not None
    assert (made.kind, made.primo, read(made.pari).n) == (Kind.N_PLUS_1, b"", 2**521 - 1)
    assert proof.search(mpz(10) ** 99 + 289) is None
    assert proof.search(mpz(2) ** 67 - 1) is None


def test_a_proof_needs_little_more_address_space_than_paris_stack() -> None:
    code = (
        "import resource, gmpy2; resource.setrlimit(resource.RLIMIT_AS, (160 << 20, 160 << 20));"
        "from services.worker.prove.proof import Certifier, prove;"
        "print(prove(gmpy2.mpz(10) ** 29 + 319, Certifier(16), print).steps, flush=True)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) == b"2\n"


def test_what_the_program_made_is_taken_as_it_is() -> None:
    assert unpack(msgspec.msgpack.encode(Made(b"97"))) == b"97"


@pytest.mark.parametrize(
    ("n", "text", "words"),
    [
        (97, b"rubbish", "the certificate does not hold: line 1, column 1: expected"),
        (97, b"[97, [3]]", r"the certificate does not hold: step 1 \(97\): the factors of n - 1 are too few"),
        (97, b"89", "the certificate is for another number"),
    ],
)
def test_a_certificate_that_does_not_hold_is_never_handed_out(n: int, text: bytes, words: str) -> None:
    with pytest.raises(ProofFailed, match=words):
        checked(mpz(n), text)


def test_the_certifying_process_ends_with_the_one_that_was_killed() -> None:
    with killed_at_last(subprocess.Popen([sys.executable, "-c", LONG], cwd=ROOT)) as asker:
        (certifier,) = wait_until(lambda: children(asker.pid), "it asks another process")
        wait_until(lambda: has_loaded_pari(certifier) and state(certifier) == "R", "that process computes")

        asker.kill()

        assert asker.wait(10) == -signal.SIGKILL
        wait_until(lambda: not state(certifier), "it is gone", 10)


def test_the_certifying_process_ends_when_the_proof_is_interrupted() -> None:
    with killed_at_last(subprocess.Popen([sys.executable, "-c", LONG], cwd=ROOT, stderr=subprocess.PIPE)) as asker:
        (certifier,) = wait_until(lambda: children(asker.pid), "it asks another process")
        wait_until(lambda: has_loaded_pari(certifier), "that process computes")

        asker.send_signal(signal.SIGINT)

        _, err = asker.communicate(timeout=10)
        assert err.rstrip().endswith(b"KeyboardInterrupt")
        wait_until(lambda: not state(certifier), "it is gone", 10)


def test_the_process_that_asks_loads_no_pari() -> None:
    code = "import sys, certificates.__main__, services.worker.prove.proof; print([m for m in sys.modules if 'cypari' in m])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) == b"[]\n"


def test_checking_needs_gmpy2_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import certificates.__main__;"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) == b"['certificates', 'gmpy2']\n"


def has_loaded_pari(process: int) -> bool:
    return "cypari" in Path(f"/proc/{process}/maps").read_text()
