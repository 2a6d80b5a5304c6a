"""A proof that the worker has made in parts, seen from the child process that answers for it."""

import contextlib
from collections.abc import Callable
from typing import BinaryIO

import gmpy2

from certificates import Chain, Malformed, Rejected, read
from certificates.structure import AnyStep
from certificates.verifier import verify_step
from services.jobs.messages import Answer, Verdict
from services.worker.compute.frames import Certified, Report, Uncertified, read_of_parts
from services.worker.prove.proof import Proof, checked


class Parted:
    """Tells the worker the number, verifies each step as it comes, and at the end what the certificate's text says besides."""

    def __init__(self, source: BinaryIO, tell: Callable[[Report], None]) -> None:
        """`source`: where what the worker says is read."""
        self._source = source
        self._tell = tell

    def __call__(self, n: gmpy2.mpz) -> Proof | None:
        """The proof of a number that passed the tests; None where the worker came to none. Raises ProofFailed."""
        self._tell(Report(Answer(0, Verdict.UNKNOWN), final=False, chain=gmpy2.digits(n)))
        verified: set[AnyStep] = set()
        for told in read_of_parts(self._source):
            if isinstance(told, Certified):
                return checked(n, told.pari, verified)
            if isinstance(told, Uncertified):
                break
            with contextlib.suppress(Malformed, Rejected):  # a certificate with such a step does not hold
                verified |= verify_found(told.step)
        return None


def verify_found(text: bytes) -> set[AnyStep]:
    """The step that the text tells. Raises Malformed, Rejected."""
    found = read(b"[" + text + b"]")
    if isinstance(found, Chain):
        for step in found.steps:
            verify_step(step, 1)
        return set(found.steps)
    return set()
