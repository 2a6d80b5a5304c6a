"""The reference client of primes.v1 in Python; docs/clients.md tells how to use it."""

# Imports within the package are relative: it is `clients.primes` in the checkout and `primes` where it is installed.
from .client import Client, Unreachable, Waiting
from .conversation import Answer, Joined, Leaving, Progress, Saved, Verdict
from .requests import Operation, PrimesError

__all__ = [
    "Answer",
    "Client",
    "Joined",
    "Leaving",
    "Operation",
    "PrimesError",
    "Progress",
    "Saved",
    "Unreachable",
    "Verdict",
    "Waiting",
]
