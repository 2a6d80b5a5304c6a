"""Proves the number of a certificate prime, by whole numbers alone and without whatever made the certificate.

Every condition that the theorems ask for is checked. docs/certificates.md tells them.
"""

from .ecpp import verify_chain
from .n_minus_1 import Pocklingtons
from .n_plus_1 import verify_morrison
from .rejection import Note
from .structure import Certificate, Chain, Morrison


def ignore(_done: int, _steps: int) -> None:
    """For whoever does not watch."""


def verify(certificate: Certificate, note: Note = ignore) -> None:
    """Prove the certificate's number prime, or raise Rejected. `note` is told of each step that holds."""
    if isinstance(certificate, Chain):
        verify_chain(certificate, note)
    elif isinstance(certificate, Morrison):
        verify_morrison(certificate, note)
    else:
        Pocklingtons(certificate.length, note).verify(certificate)
