"""Proves that a number is prime and prints the certificate: `python -m services.worker.prove.certify N`.

This is the only part that loads PARI, which is under the GPL, and it runs as a program of its own: nothing else of the service
is linked with PARI; what passes between them is a number and the text of a certificate. So PARI's memory is bounded, too, and
what it computes can be killed.
"""

import argparse
import contextlib
import re
import signal
import sys
from collections.abc import Sequence
from enum import IntEnum, StrEnum
from functools import cache
from typing import Any

import gmpy2
import msgspec
from gmpy2 import mpz

from certificates import FORMATS, Unwritable, read, write
from certificates.text import MOST_DIGITS
from services.runtime.tether import tether
from services.worker.compute.frames import read_payloads, write_payload
from services.worker.prove import factored

MEMORY = 256  # MiB of PARI's stack unless told otherwise; 1,000 digits take less than half of it

# Up to so many decimal digits an elliptic curve certificate is a matter of a second or two, and both formats can say it. Above, one
# by factors of N-1 or N+1 is tried first: where these are made of small primes (100!+1, 3*2^2816+1) it takes no time at any size.
CURVES_UP_TO = 300


class Status(IntEnum):
    """Exit statuses other than 0."""

    FAILED = 1
    USAGE = 2  # as argparse has it
    NOT_PRIME = 3
    OUT_OF_MEMORY = 4


class Route(StrEnum):
    """By which way to make a certificate."""

    AUTO = "auto"
    ECPP = "ecpp"
    N_MINUS_1 = "n-1"


class Made(msgspec.Struct, array_like=True, frozen=True, tag="made"):
    """A certificate."""

    pari: bytes  # its text in PARI's format


class Failure(msgspec.Struct, array_like=True, frozen=True, tag="failure"):
    """Why there is none."""

    status: int
    reason: str


class NoCertificate(Exception):
    """There is no certificate."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.failure = Failure(status, reason)


def main(arguments: Sequence[str] | None = None) -> int:
    """Certify one number."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.parent:
        tether(options.parent, signal.SIGKILL)
    if options.serve:
        serve(options.kind, options.memory)
        return 0
    text = sys.stdin.read(MOST_DIGITS + 2) if options.number == "-" else options.number
    if options.memory < 1 or not re.fullmatch(rf"-?[0-9]{{1,{MOST_DIGITS}}}", text.strip()):
        parser.error(f"expected a number of up to {MOST_DIGITS} decimal digits, and at least 1 MiB")
    answer = attempt(mpz(text.strip()), options.kind, options.memory)
    tell(answer, options.format)
    return answer.status if isinstance(answer, Failure) else 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m services.worker.prove.certify",
        description="Proves that a number is prime and prints the certificate. Check it with python -m services.worker.verify.",
        epilog="Exit status: 0 proven, 2 a bad command line, 3 not prime, 4 out of memory, 1 anything else.",
    )
    parser.add_argument(
        "number", metavar="N", nargs="?", default="-", help=f"up to {MOST_DIGITS} decimal digits; - for standard input"
    )
    parser.add_argument(
        "--kind",
        type=Route,
        choices=list(Route),
        default=Route.AUTO,
        help="ecpp: by elliptic curves; n-1: by factors of N-1; "
        f"auto: by factors of N-1 or N+1 above {CURVES_UP_TO} digits where that is easy, else ecpp",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="primo", help="of what is printed; PARI's where a certificate has no such form"
    )
    parser.add_argument("--memory", type=int, default=MEMORY, metavar="MIB", help=f"PARI's stack, at most; {MEMORY} unless given")
    parser.add_argument(
        "--serve",
        action="store_true",
        help="answer one number after another, in frames of MessagePack with PARI's text, for the worker",
    )
    parser.add_argument("--parent", type=int, metavar="PID", help="process with which this one ends")
    return parser


def serve(kind: Route, memory: int) -> None:
    """Certify the numbers that come until standard input ends: frames as in `services/worker/compute/frames.py`.

    PARI is loaded once, before the first number comes, and its stack is empty after each.
    """
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(NoCertificate):  # each number is told why
        load_pari(memory)
    for digits in read_payloads(source):
        write_payload(sink, msgspec.msgpack.encode(attempt(mpz(digits.decode()), kind, memory)))


def attempt(n: mpz, kind: Route, memory: int) -> Made | Failure:
    """A certificate, or why there is none."""
    try:
        return certify(n, kind, memory)
    except NoCertificate as none:
        return none.failure


def certify(n: mpz, kind: Route, memory: int) -> Made:
    """Make a certificate, with so many MiB. Raises NoCertificate."""
    if not gmpy2.is_prime(n):
        raise NoCertificate(Status.NOT_PRIME, "the number is not prime")
    large = len(gmpy2.digits(n)) > CURVES_UP_TO
    if kind is Route.N_MINUS_1 and (text := factored.by_predecessor(n)):
        return Made(text)
    if kind is Route.AUTO and large and (text := factored.certify(n)):
        return Made(text)
    return ask_pari(n, kind is Route.N_MINUS_1, memory)


def ask_pari(n: mpz, n_minus_1: bool, memory: int) -> Made:
    """PARI's certificate. Raises NoCertificate."""
    pari, error_type = load_pari(memory)
    try:
        certificate = pari.primecert(pari(gmpy2.digits(n)), int(n_minus_1))
        text = str(certificate).encode()
        if certificate == 0:
            raise NoCertificate(Status.NOT_PRIME, "the number is not prime, says PARI")
        return Made(text)
    except error_type as error:
        reason = str(error).partition("\n")[0].strip()
        if "stack overflows" in reason or "not enough memory" in reason:
            raise NoCertificate(Status.OUT_OF_MEMORY, f"PARI needs more than {memory} MiB: {reason}") from None
        raise NoCertificate(Status.FAILED, f"PARI: {reason}") from None
    except MemoryError:
        raise NoCertificate(Status.OUT_OF_MEMORY, "this process may not use enough memory") from None


@cache
def load_pari(memory: int) -> tuple[Any, type[Exception]]:
    """PARI with a stack of so many MiB, and its errors' type. Raises NoCertificate."""
    interrupt = signal.SIG_IGN if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else signal.SIG_DFL
    from cypari import PariError, pari  # noqa: PLC0415  # here, so that whoever imports this module does not load PARI and its signal handlers

    signal.signal(signal.SIGINT, interrupt)  # as it was: ignored in a worker; at a terminal it ends a computation at once
    pari.allocatemem(memory << 20, memory << 20, silent=True)
    if pari.stacksizemax() < memory << 20:  # PARI took less, without an error
        raise NoCertificate(Status.OUT_OF_MEMORY, f"this process may not use {memory} MiB for PARI's stack")
    return pari, PariError


def tell(answer: Made | Failure, text: str) -> None:
    """Print a certificate, or why there is none."""
    if isinstance(answer, Failure):
        print(answer.reason, file=sys.stderr)
    else:
        try:
            written = b"".join(write(read(answer.pari), text))
        except Unwritable as error:
            print(f"{error}: so this is PARI's text", file=sys.stderr)
            written = answer.pari + b"\n"
        sys.stdout.buffer.write(written)


if __name__ == "__main__":
    sys.exit(main())
