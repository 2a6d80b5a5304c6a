"""A certificate that was made in parts is told in both formats if its steps lead from the number to a small prime."""

import io
from pathlib import Path

import gmpy2
import msgspec
import pytest

from certificates import read, verify
from services.worker.compute.frames import Certified, Report, Uncertified, frame
from services.worker.prove.parted import Parted, assemble
from services.worker.prove.proof import ProofFailed

VECTORS = Path(__file__).parents[2] / "certificates" / "vectors"
TEXT = (VECTORS / "100-digits.pari").read_bytes().strip()
N = gmpy2.mpz(read(TEXT).n)


def test_the_worker_is_told_the_number_and_says_the_certificate() -> None:
    reports: list[Report] = []
    proof = Parted(io.BytesIO(frame(Certified(TEXT))), reports.append)(N)
    (report,) = reports
    assert (report.final, report.chain) == (False, str(N))
    assert proof.pari == TEXT
    for text in (proof.primo, proof.pari):
        certificate = read(text)
        assert certificate.n == N
        verify(certificate)
    assert proof == assemble(N, TEXT)


def test_there_is_no_proof_where_the_worker_says_so() -> None:
    source = io.BytesIO(frame(Uncertified("no discriminants are left")))
    with pytest.raises(ProofFailed, match="no discriminants are left"):
        Parted(source, lambda _: None)(N)


def test_a_worker_that_ended_is_no_answer() -> None:
    with pytest.raises(EOFError):
        Parted(io.BytesIO(), lambda _: None)(N)
    with pytest.raises(msgspec.DecodeError):
        Parted(io.BytesIO(b"\0\0\0\1\xc0"), lambda _: None)(N)


def _changed(step: int, place: int, by: int) -> bytes:
    """The text with a number of a step changed: 0 n, 1 t, 2 s."""
    vector = eval(TEXT.decode())  # our own file: nested lists of integers
    vector[step][place] += by
    return str(vector).encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"rubbish", "the certificate does not hold"),
        (b"97", "the certificate's last number is no small prime|for another number|no chain"),
        (_changed(0, 0, 2), "step 1 of the certificate is for another number"),
        (_changed(2, 0, 2), "step 3 of the certificate is for another number"),
        (_changed(1, 1, 1), "step 2 of the certificate leads nowhere"),
        (_changed(1, 2, 1), "step 2 of the certificate leads nowhere"),
    ],
)
def test_a_certificate_whose_steps_lead_elsewhere_is_never_handed_out(text: bytes, words: str) -> None:
    with pytest.raises(ProofFailed, match=words):
        assemble(N, text)


def test_a_certificate_of_another_number_is_none() -> None:
    with pytest.raises(ProofFailed, match="step 1 of the certificate is for another number"):
        assemble(N + 2, TEXT)


def test_a_certificate_that_stops_short_is_none() -> None:
    vector = eval(TEXT.decode())  # as above
    with pytest.raises(ProofFailed, match="the certificate's last number is no small prime"):
        assemble(N, str(vector[:3]).encode())
