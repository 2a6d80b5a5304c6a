"""What passed the tests is proven unasked where that is cheap; everything else is told as the tests have it."""

import hashlib

import pytest

from certificates import read, verify
from services.jobs.evidence import CertificateName
from services.jobs.messages import Job, Operation, Verdict, Wanted
from services.worker.compute.answer import compute
from services.worker.compute.frames import Report
from services.worker.lanes.runs import wants_proof
from services.worker.prove.answer import prove_unasked


def report(job: Job) -> Report:
    return prove_unasked(job, compute(job))


@pytest.mark.parametrize(("text", "digits"), [("2^521-1", 157), ("3*2^2816+1", 849), ("469!-1", 1_051)])
def test_a_prime_of_a_form_is_proven_unasked_and_its_certificate_named(text: str, digits: int) -> None:
    told = report(Job(7, text, expression=True))
    assert (told.answer.id, told.answer.verdict, told.final) == (7, Verdict.PRIME, True)
    assert told.answer.evidence == CertificateName(hashlib.sha256(told.pari).hexdigest())
    verify(read(told.pari))
    assert told.answer.value is not None
    assert told.answer.value.digits == digits


def test_a_decimal_of_such_a_form_is_proven_too() -> None:
    assert report(Job(1, str(2**521 - 1))).answer.verdict is Verdict.PRIME


@pytest.mark.parametrize(
    ("job", "verdict"),
    [
        (Job(1, str(10**99 + 289)), Verdict.PROBABLY_PRIME),
        (Job(1, "2^521-3", expression=True), Verdict.COMPOSITE),
        (Job(1, "2^521-2", Operation.NEXT_PRIME, expression=True), Verdict.PROBABLY_PRIME),
        (Job(1, "97"), Verdict.PRIME),
    ],
)
def test_what_is_not_proven_is_told_as_it_is(job: Job, verdict: Verdict) -> None:
    told = report(job)
    assert (told.answer.verdict, told.pari, told.primo) == (verdict, b"", b"")


def test_what_has_a_certificate_goes_to_no_other_lane_for_one() -> None:
    job = Job(1, "2^521-1", expression=True, wanted=Wanted.CERTIFICATE)
    assert wants_proof(job, compute(job))
    assert not wants_proof(job, report(job).answer)
