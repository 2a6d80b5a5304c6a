"""Proofs of primality for the worker's child process: PARI makes them in a program of its own; they are checked here."""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from typing import IO

import gmpy2
import msgspec

from certificates import Certificate, Kind, Malformed, Rejected, read, verify
from certificates.text import MOST_BYTES
from services.worker.prove import factored
from services.worker.prove.certify import Failure, Made, Status

PIECE = 1 << 16  # bytes read at once: a stream sets aside what it is asked for, and memory is short here


class NotPrime(Exception):
    """The number is composite or below 2, so there is nothing to prove."""


class ProofFailed(Exception):
    """There is no certificate, or one that does not hold; the text says why."""


class OutOfMemory(ProofFailed):
    """PARI needs more memory than it was given."""


class Proof(msgspec.Struct, frozen=True):
    """A certificate that was checked."""

    kind: Kind
    sha256: str  # of the Primo text; of PARI's where there is no Primo text. In hexadecimal
    primo: bytes  # empty for all but curves and small numbers
    pari: bytes
    steps: int


def prove(n: gmpy2.mpz, memory: int) -> Proof:
    """Have PARI certify n, with `memory` MiB for its stack, and check what it says. Raises NotPrime, ProofFailed.

    It blocks for as long as it takes: whoever has a deadline kills this process, and PARI's ends with it. Call it from the main
    thread: the kernel ends PARI's process when the thread ends that started it.
    """
    made = ask(n, memory)
    texts = [text for text in (made.primo, made.pari) if text]
    certificates = [check(n, text) for text in texts]  # both: a client may take either
    return Proof(certificates[0].kind, hashlib.sha256(texts[0]).hexdigest(), made.primo, made.pari, certificates[0].length)


def by_factors(n: gmpy2.mpz, hints: Iterable[int]) -> Proof | None:
    """A proof by prime factors of n - 1 and n + 1, made and checked here; None where too few are found, or n is composite.

    `hints`: primes that may be among them.
    """
    text = factored.certify(n, hints)
    if not text:
        return None
    try:
        certificate = check(n, text)
    except ProofFailed:
        return None
    return Proof(certificate.kind, hashlib.sha256(text).hexdigest(), b"", text, certificate.length)


def ask(n: gmpy2.mpz, memory: int) -> Made:
    """The texts of a certificate that nobody has checked."""
    options = ["--frame", "--memory", str(memory), "--parent", str(os.getpid())]
    command = [sys.executable, "-m", "services.worker.prove.certify", "-", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603  # our own program
        assert process.stdin and process.stdout  # both are pipes
        try:
            with contextlib.suppress(BrokenPipeError):  # it ended already: its status tells more
                process.stdin.write(gmpy2.digits(n).encode())
                process.stdin.close()
            frame = receive(process.stdout)
        except BaseException:
            process.kill()
            raise
    return unpack(frame, process.returncode)


def receive(stream: IO[bytes]) -> bytes:
    """All that comes. Raises ProofFailed when it is too much."""
    frame = bytearray()
    while piece := stream.read(PIECE):
        frame += piece
        if len(frame) > 2 * MOST_BYTES:
            raise ProofFailed(f"expected at most {2 * MOST_BYTES} bytes of certificates")
    return bytes(frame)


def unpack(frame: bytes, status: int) -> Made:
    """What the program said before it ended with this status."""
    try:
        answer = msgspec.msgpack.decode(frame, type=Made | Failure)
    except msgspec.DecodeError:
        raise ProofFailed(f"the certifying process ended with status {status} and no certificate") from None
    if isinstance(answer, Made):
        return answer
    if answer.status == Status.NOT_PRIME:
        raise NotPrime(answer.reason)
    raise (OutOfMemory if answer.status == Status.OUT_OF_MEMORY else ProofFailed)(answer.reason)


def check(n: gmpy2.mpz, text: bytes) -> Certificate:
    """The certificate, if it proves n."""
    try:
        certificate = read(text)
        verify(certificate)
    except (Malformed, Rejected) as error:
        raise ProofFailed(f"the certificate does not hold: {error}") from error
    if certificate.n != n:
        raise ProofFailed("the certificate is for another number")
    return certificate
