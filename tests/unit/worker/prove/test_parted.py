"""A certificate that was made in parts is told in both formats once each of its steps was verified here."""

import io
from pathlib import Path

import gmpy2
import msgspec
import pytest

from certificates import read, verifier, verify
from certificates.structure import AnyStep
from services.worker.compute.frames import Certified, Found, Report, Uncertified, frame
from services.worker.prove import parted
from services.worker.prove.parted import Parted
from services.worker.prove.proof import ProofFailed, checked

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
    assert proof == checked(N, TEXT)


def test_there_is_no_proof_where_the_worker_says_so() -> None:
    assert Parted(io.BytesIO(frame(Uncertified("no discriminants are left"))), lambda _: None)(N) is None


def test_steps_that_came_before_are_not_verified_again(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = _steps(TEXT)
    source = b"".join(frame(Found(text)) for text in texts[2:]) + frame(Certified(TEXT))
    verified: list[int] = []

    def verify_step(step: AnyStep, number: int) -> int:
        verified.append(int(step.n))
        return original(step, number)

    original = verifier.verify_step
    monkeypatch.setattr(verifier, "verify_step", verify_step)
    monkeypatch.setattr(parted, "verify_step", verify_step)
    assert Parted(io.BytesIO(source), lambda _: None)(N) == checked(N, TEXT)
    numbers = [int(step.n) for step in read(TEXT).steps]  # type: ignore[union-attr]  # a chain
    assert verified[: len(numbers)] == [*numbers[2:], *numbers[:2]]


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_a_step_that_does_not_hold_is_rejected_wherever_it_came(place: int) -> None:
    wrong = _changed(0, place, 1)
    source = b"".join(frame(Found(text)) for text in _steps(wrong)) + frame(Certified(wrong))
    with pytest.raises(ProofFailed, match="the certificate does not hold: step"):
        Parted(io.BytesIO(source), lambda _: None)(N)


def test_what_is_no_step_is_passed_over() -> None:
    source = b"".join(frame(Found(text)) for text in (b"", b"97", b"[1, 2]", b"rubbish")) + frame(Certified(TEXT))
    assert Parted(io.BytesIO(source), lambda _: None)(N) == checked(N, TEXT)


def test_a_worker_that_ended_is_no_answer() -> None:
    with pytest.raises(EOFError):
        Parted(io.BytesIO(), lambda _: None)(N)
    with pytest.raises(msgspec.DecodeError):
        Parted(io.BytesIO(b"\0\0\0\1\xc0"), lambda _: None)(N)


def _changed(step: int, place: int, by: int) -> bytes:
    """The text with a number of a step changed: 0 n, 1 t, 2 s, 3 a, 4 the point."""
    vector = eval(TEXT.decode())  # our own file: nested lists of integers
    if place == 4:  # the point
        vector[step][place][0] += by
    else:
        vector[step][place] += by
    return str(vector).encode()


def _steps(text: bytes) -> list[bytes]:
    """Each as it stands in the text."""
    return [str(step).encode() for step in eval(text.decode())]  # as above


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"rubbish", "does not hold"),
        (b"97", "for another number"),
        (_changed(0, 0, 2), "for another number"),
        (_changed(2, 0, 2), "does not hold: step 3"),
        (_changed(1, 1, 1), "does not hold: step 2"),
        (_changed(1, 2, 1), "does not hold: step 2"),
        (_changed(0, 3, 1), "does not hold: step 1"),
        (_changed(0, 4, 1), "does not hold: step 1"),
    ],
)
def test_a_certificate_whose_steps_do_not_hold_is_never_handed_out(text: bytes, words: str) -> None:
    with pytest.raises(ProofFailed, match=words):
        checked(N, text)


def test_a_certificate_of_another_number_is_none() -> None:
    with pytest.raises(ProofFailed, match="for another number"):
        checked(N + 2, TEXT)


def test_a_certificate_that_stops_short_is_none() -> None:
    vector = eval(TEXT.decode())  # as above
    with pytest.raises(ProofFailed, match="the last number is no prime"):
        checked(N, str(vector[:3]).encode())
