"""Certificates of primality, read and verified with whole numbers alone; needs nothing but Python, and is fast with gmpy2."""

from .reader import read
from .rejection import Rejected
from .structure import Certificate, Chain, Kind, Morrison, Pocklington
from .text import Malformed
from .verifier import verify

__all__ = ["Certificate", "Chain", "Kind", "Malformed", "Morrison", "Pocklington", "Rejected", "read", "verify"]
