"""Writes a certificate in whichever format other programs read."""

from collections.abc import Callable, Iterator

from .mpu import write_mpu
from .pari import write_pari
from .primo import write_coq, write_primo
from .structure import Certificate

WRITERS: dict[str, Callable[[Certificate], Iterator[str]]] = {
    "primo": write_primo,
    "pari": write_pari,
    "mpu": write_mpu,
    "coq": write_coq,
}
FORMATS = tuple(WRITERS)


def write(certificate: Certificate, format: str) -> Iterator[bytes]:
    """Its text in pieces. Raises Unwritable where the format has no form for it."""
    return (piece.encode() for piece in WRITERS[format](certificate))
