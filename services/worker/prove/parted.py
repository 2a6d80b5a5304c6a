"""A proof that the worker has made in parts, seen from the child process that answers for it."""

import hashlib
from collections.abc import Callable
from typing import BinaryIO

import gmpy2

from certificates import Kind, Malformed, Unwritable, read, write
from certificates.ecpp import exceeds_bound
from certificates.small import is_small_prime
from certificates.structure import Chain, Step
from services.jobs.messages import Answer, Verdict
from services.worker.compute.frames import Report, Uncertified, read_certified
from services.worker.prove.proof import Proof, ProofFailed


class Parted:
    """Tells the worker the number, waits for the certificate's text, and looks whether that says what was asked for."""

    def __init__(self, source: BinaryIO, tell: Callable[[Report], None]) -> None:
        """`source`: where what the worker says is read."""
        self._source = source
        self._tell = tell

    def __call__(self, n: gmpy2.mpz) -> Proof:
        """The proof of a number that passed the tests. Raises ProofFailed."""
        self._tell(Report(Answer(0, Verdict.UNKNOWN), final=False, chain=gmpy2.digits(n)))
        told = read_certified(self._source)
        if isinstance(told, Uncertified):
            raise ProofFailed(told.reason)
        return assemble(n, told.pari)


def assemble(n: gmpy2.mpz, pari: bytes) -> Proof:
    """The proof that PARI's text is, in both formats. Raises ProofFailed."""
    try:
        chain = linked(n, pari)
        primo = b"".join(write(chain, "primo"))
    except (Malformed, Unwritable) as error:
        raise ProofFailed(f"the certificate does not hold: {error}") from error
    return Proof(Kind.ECPP, hashlib.sha256(primo).hexdigest(), primo, pari, chain.length)


def linked(n: gmpy2.mpz, text: bytes) -> Chain:
    """The chain of steps that the text tells, if they lead from n to a small prime. Raises Malformed, ProofFailed.

    Whether a step's point is on its curve and has the order that it needs, the part has verified that made the step.
    """
    chain = read(text)
    if not isinstance(chain, Chain) or chain.end is not None:
        raise ProofFailed("the certificate is no chain of curves")
    for number, step in enumerate(chain.steps, 1):
        if not isinstance(step, Step) or step.n != n:
            raise ProofFailed(f"step {number} of the certificate is for another number")
        m = step.n + 1 - step.t
        if step.t**2 > 4 * step.n or step.s < 1 or m % step.s or not exceeds_bound(m // step.s, step.n):
            raise ProofFailed(f"step {number} of the certificate leads nowhere")
        n = gmpy2.mpz(m // step.s)
    if not is_small_prime(n):
        raise ProofFailed("the certificate's last number is no small prime")
    return chain
