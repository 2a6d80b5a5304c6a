"""Proves the number of a certificate prime, by whole numbers alone and without whatever made the certificate.

Every condition that the theorems ask for is checked. docs/certificates.md tells them.
"""

from collections.abc import Collection

from .ecpp import verify_curve_step
from .n_minus_1 import verify_minus_step, verify_pocklington
from .n_plus_1 import verify_morrison, verify_plus_step
from .rejection import Note, Rejected, shorten
from .small import is_small_prime
from .structure import AnyStep, Certificate, Chain, MinusStep, PlusStep, Pocklington


def ignore(_done: int, _steps: int) -> None:
    """For whoever does not watch."""


def verify(certificate: Certificate, note: Note = ignore, verified: Collection[AnyStep] = ()) -> None:
    """Prove the certificate's number prime, or raise Rejected. `note` is told of each step that holds.

    `verified`: steps that `verify_step` took before; only their place in the chain is looked at.
    """
    _Verification(certificate.length, note, verified).prove(certificate)


class _Verification:
    """Certificates may stand within each other: their steps are numbered as they begin."""

    def __init__(self, steps: int, note: Note, verified: Collection[AnyStep]) -> None:
        self._steps = steps
        self._note = note
        self._verified = verified
        self._begun = 0
        self._done = 0

    def prove(self, certificate: Certificate) -> None:
        """Prove its number and those within it, or raise Rejected."""
        if isinstance(certificate, Chain):
            self._prove_chain(certificate)
            return
        self._begun += 1
        if isinstance(certificate, Pocklington):
            verify_pocklington(certificate, self._begun, self.prove)
        else:
            verify_morrison(certificate, self._begun)
        self._hold()

    def _hold(self) -> None:
        self._done += 1
        self._note(self._done, self._steps)

    def _prove_chain(self, chain: Chain) -> None:
        n = chain.n
        for step in chain.steps:
            self._begun += 1
            if step.n != n:
                raise Rejected(self._begun, step.n, f"expected {shorten(n)} here")
            n = step.next if step in self._verified else verify_step(step, self._begun)
            self._hold()
        if chain.end is None:
            if not is_small_prime(n):
                raise Rejected(self._begun, n, "the last number is no prime below 3.3e24")
        elif chain.end.n != n:
            raise Rejected(self._begun, chain.end.n, f"expected {shorten(n)} here")
        else:
            self.prove(chain.end)


def verify_step(step: AnyStep, number: int) -> int:
    """The number whose primality proves that of the step's, or raise Rejected. `number`: of the step, for the message."""
    if isinstance(step, MinusStep):
        return verify_minus_step(step, number)
    if isinstance(step, PlusStep):
        return verify_plus_step(step, number)
    return verify_curve_step(step, number)
