"""What passed the tests is proven unasked where that is cheap; everything else is told as the tests have it."""

import contextlib
import hashlib
from collections.abc import Iterator

import gmpy2
import pytest

from certificates import read, verify
from services.jobs.evidence import CertificateName
from services.jobs.messages import Fault, Job, Operation, Verdict, Wanted, describe_unknown
from services.worker.compute.answer import compute
from services.worker.compute.frames import Report
from services.worker.lanes.runs import wants_proof
from services.worker.prove.answer import prove, prove_unasked
from services.worker.prove.proof import Certifier, Proof, ProofFailed


@pytest.fixture(scope="module")
def certifier() -> Iterator[Certifier]:
    with contextlib.closing(Certifier(64)) as certifier:
        yield certifier


def not_in_parts(n: gmpy2.mpz) -> Proof:
    raise ProofFailed(f"no parts are made here of {gmpy2.num_digits(n)} digits")


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


@pytest.mark.parametrize(
    ("job", "found"),
    [
        (Job(1, str(10**30), Operation.NEXT_PRIME, wanted=Wanted.FOUND_PROOF), 10**30 + 57),
        (Job(1, "10^99", Operation.NEXT_PRIME, expression=True, wanted=Wanted.FOUND_PROOF), 10**99 + 289),
        (Job(1, "2^127", Operation.PREVIOUS_PRIME, expression=True, wanted=Wanted.FOUND_PROOF), 2**127 - 1),
        (Job(1, "96", Operation.NEXT_PRIME, wanted=Wanted.FOUND_CERTIFICATE), 97),
        (Job(1, "3", Operation.PREVIOUS_PRIME, wanted=Wanted.FOUND_CERTIFICATE), 2),
    ],
)
def test_a_neighbour_is_proven_itself(certifier: Certifier, job: Job, found: int) -> None:
    tested = compute(job)
    assert wants_proof(job, tested)
    told = prove(job, certifier, not_in_parts)
    assert (told.answer.verdict, told.answer.number, told.answer.number) == (Verdict.PRIME, str(found), tested.number)
    assert told.answer.value == tested.value
    certificate = read(told.primo or told.pari)
    assert certificate.n == found
    verify(certificate)


def test_where_there_is_no_neighbour_nothing_is_proven(certifier: Certifier) -> None:
    job = Job(1, "2", Operation.PREVIOUS_PRIME, wanted=Wanted.FOUND_CERTIFICATE)
    assert not wants_proof(job, compute(job))
    told = prove(job, certifier, not_in_parts)
    assert (told.answer.verdict, told.answer.number, told.pari) == (Verdict.NEITHER, "", b"")


@pytest.mark.parametrize("digits", [250, 400])
def test_a_proof_that_fails_tells_of_which_number(digits: int) -> None:
    job = Job(1, f"10^{digits - 1}", Operation.NEXT_PRIME, expression=True, wanted=Wanted.FOUND_PROOF)
    with contextlib.closing(Certifier(1)) as small:
        told = prove(job, small, not_in_parts)
    assert (told.answer.fault, told.answer.best) == (Fault.UNPROVEN, Verdict.PROBABLY_PRIME)
    assert told.answer.number == compute(job).number
    assert describe_unknown(told.answer)["number"] == told.answer.number


def test_what_has_a_certificate_goes_to_no_other_lane_for_one() -> None:
    job = Job(1, "2^521-1", expression=True, wanted=Wanted.CERTIFICATE)
    assert wants_proof(job, compute(job))
    assert not wants_proof(job, report(job).answer)
