"""What a worker computes for each operation that a client can ask for: a new operation has its home here."""

from collections.abc import Callable, Mapping

import gmpy2

from services.jobs.messages import Operation
from services.worker.compute import neighbours
from services.worker.compute.primes import Finding, Note, examine_large
from services.worker.factor import factorization
from services.worker.factor.splitter import Splitter

# From the integer that was asked for, to the number that was found (canonical decimal, "" for none) and what is known of it.
Compute = Callable[[gmpy2.mpz, Note], tuple[str, Finding]]


class UnknownOperation(LookupError):
    """A job asks for what this worker does not compute; the text says for what."""


def perform(operation: Operation, n: gmpy2.mpz, note: Note) -> tuple[str, Finding]:
    """What the operation finds for n. Raises UnknownOperation."""
    compute = OPERATIONS.get(operation)
    if compute is None:
        raise UnknownOperation(f"expected one of {', '.join(OPERATIONS)}, came {operation!r}")
    return compute(n, note)


def is_prime(n: gmpy2.mpz, note: Note) -> tuple[str, Finding]:
    """What is known of n itself, which the client has."""
    return "", examine_large(n, note)


def next_prime(n: gmpy2.mpz, _: Note) -> tuple[str, Finding]:
    """The least prime above n."""
    prime, finding = neighbours.next_prime(n)
    return str(prime), finding


def previous_prime(n: gmpy2.mpz, _: Note) -> tuple[str, Finding]:
    """The greatest prime below n; none below 3."""
    prime, finding = neighbours.previous_prime(n)
    return ("" if prime is None else str(prime)), finding


def factor(n: gmpy2.mpz, note: Note) -> tuple[str, Finding]:
    """What is known of n, which the client has, and what divides it."""
    with Splitter() as splitter:
        return "", factorization.factor(n, note, splitter.split)


OPERATIONS: Mapping[Operation, Compute] = {
    Operation.IS_PRIME: is_prime,
    Operation.NEXT_PRIME: next_prime,
    Operation.PREVIOUS_PRIME: previous_prime,
    Operation.FACTOR: factor,
}
