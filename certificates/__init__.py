"""Certificates of primality, read, verified and written with whole numbers; needs nothing but Python, and is fast with gmpy2."""

from .reader import read
from .rejection import Rejected
from .structure import Certificate, Chain, Kind, Morrison, Pocklington
from .text import Malformed, Unwritable
from .verifier import verify
from .writer import FORMATS, write

__all__ = [
    "FORMATS",
    "Certificate",
    "Chain",
    "Kind",
    "Malformed",
    "Morrison",
    "Pocklington",
    "Rejected",
    "Unwritable",
    "read",
    "verify",
    "write",
]
