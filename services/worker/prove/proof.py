"""Proofs of primality for the worker's child process: PARI makes them in a program of its own; they are checked here."""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable
from typing import IO, NoReturn

import gmpy2
import msgspec

from certificates import Chain, Kind, Malformed, Rejected, Unwritable, read, verify, write
from certificates.structure import AnyStep
from certificates.text import MOST_BYTES
from services.worker.compute.frames import LENGTH, write_payload
from services.worker.prove import factored
from services.worker.prove import search as searched
from services.worker.prove.certify import Failure, Made, Status

# Decimal digits above which a number is proven in parts by all workers, unless factors show it: one process of PARI alone takes
# some seconds here, and at 1,000 digits more than a minute.
PARTED_ABOVE = 300

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


def prove(n: gmpy2.mpz, certifier: "Certifier", in_parts: "InParts") -> Proof:
    """Have PARI certify n, or prove it in parts where that is sooner done and comes to an end. Raises NotPrime, ProofFailed.

    It blocks for as long as it takes: whoever has a deadline kills this process, and PARI's ends with it.
    """
    if len(gmpy2.digits(n)) > PARTED_ABOVE and (made_in_parts := by_factors(n, ()) or in_parts(n)) is not None:
        return made_in_parts
    return checked(n, certifier.ask(n))


InParts = Callable[[gmpy2.mpz], Proof | None]  # proves a number that passed the tests, or comes to nothing; raises ProofFailed


def by_factors(n: gmpy2.mpz, hints: Iterable[int]) -> Proof | None:
    """A proof by prime factors of n - 1 and n + 1, made and checked here; None where too few are found, or n is composite.

    `hints`: primes that may be among them.
    """
    return _by_factors(n, factored.certify(n, hints))


def search(n: gmpy2.mpz) -> Proof | None:
    """The same by factors that FLINT finds within milliseconds, for n of up to some hundred digits."""
    return _by_factors(n, searched.certify(n))


def _by_factors(n: gmpy2.mpz, text: bytes) -> Proof | None:
    """The proof that a certificate by factors is, if it is one."""
    if text:
        with contextlib.suppress(ProofFailed):
            return checked(n, text)
    return None


class Certifier:
    """PARI's process: it is started when first needed, stays, and is started again after it ended."""

    def __init__(self, memory: int) -> None:
        """`memory`: MiB of PARI's stack."""
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Have it there before the next number comes: it takes a tenth of a second. Call this from the main thread: the kernel ends
        the process when the thread ends that started it.
        """
        if self._process is None or self._process.poll() is not None:
            options = ["--serve", "--memory", str(self._memory), "--parent", str(os.getpid())]
            command = [sys.executable, "-m", "services.worker.prove.certify", *options]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # our own program
        return self._process

    def ask(self, n: gmpy2.mpz) -> bytes:
        """PARI's text of a certificate that nobody has checked. Raises NotPrime, ProofFailed."""
        process = self.start()
        assert process.stdin and process.stdout  # both are pipes
        try:
            with contextlib.suppress(BrokenPipeError):  # it ended already: its status tells more
                write_payload(process.stdin, gmpy2.digits(n).encode())
            frame = receive(process.stdout)
        except BaseException:
            self.close()
            raise
        return unpack(frame) if frame else self._mourn(process)

    def _mourn(self, process: subprocess.Popen[bytes]) -> NoReturn:
        self.close()
        raise ProofFailed(f"the certifying process ended with status {process.returncode} and no certificate")

    def close(self) -> None:
        """End it at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):  # what it did not read
                process.communicate()


def receive(stream: IO[bytes]) -> bytes:
    """The next frame; empty where the stream ends before its end. Raises ProofFailed when it is too much."""
    length = int.from_bytes(stream.read(LENGTH), "big")
    if length > MOST_BYTES:
        raise ProofFailed(f"expected at most {MOST_BYTES} bytes of a certificate")
    frame = bytearray()
    while len(frame) < length and (piece := stream.read(min(PIECE, length - len(frame)))):
        frame += piece
    return bytes(frame) if len(frame) == length else b""


def unpack(frame: bytes) -> bytes:
    """The text that the program made. Raises NotPrime, ProofFailed."""
    try:
        answer = msgspec.msgpack.decode(frame, type=Made | Failure)
    except msgspec.DecodeError:
        raise ProofFailed("the certifying process said what is no certificate") from None
    if isinstance(answer, Made):
        return answer.pari
    if answer.status == Status.NOT_PRIME:
        raise NotPrime(answer.reason)
    raise (OutOfMemory if answer.status == Status.OUT_OF_MEMORY else ProofFailed)(answer.reason)


def checked(n: gmpy2.mpz, pari: bytes, verified: Collection[AnyStep] = ()) -> Proof:
    """The proof that PARI's text is; those steps have been verified before. Primo's text is made of what is verified. Raises
    ProofFailed.
    """
    try:
        certificate = read(pari)
        if certificate.n != n:
            raise ProofFailed("the certificate is for another number")
        verify(certificate, verified=verified)
        primo = b"".join(write(certificate, "primo")) if isinstance(certificate, Chain) else b""
    except (Malformed, Rejected, Unwritable) as error:
        raise ProofFailed(f"the certificate does not hold: {error}") from error
    return Proof(certificate.kind, hashlib.sha256(primo or pari).hexdigest(), primo, pari, certificate.length)
