"""Checks files, and writes them in other formats: `python -m certificates FILE…`."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .arithmetic import whole, written
from .reader import read
from .rejection import Rejected, shorten
from .text import MOST_BYTES, MOST_DIGITS, Malformed, Unwritable
from .verifier import verify
from .writer import FORMATS, write


class Progress:
    """One line on a terminal that says how far a certificate has been checked."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = time.monotonic()

    def note(self, done: int, steps: int) -> None:
        """So many steps hold. Shown five times a second."""
        if sys.stderr.isatty() and time.monotonic() - self._shown > 0.2:
            self._shown = time.monotonic()
            print(f"\r{self._name}: {done} of {steps} steps\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line empty."""
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None, name: str = "python -m certificates") -> int:
    """Check files, one line each, and return the exit status that the help tells."""
    parser = argparse.ArgumentParser(
        prog=name,
        description="Checks primality certificates of Primo (format 4 or 3), PARI or Math::Prime::Util (MPU).",
        epilog="Status: 0 all are proven, 1 a certificate proves nothing, or another number, 2 a file cannot be read or written.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a certificate; - for standard input")
    parser.add_argument("--number", type=decimal, metavar="N", help="the number that every certificate must prove, in decimal")
    parser.add_argument(
        "--to", choices=FORMATS, metavar="FORMAT", help=f"write what is proven to standard output, as {', '.join(FORMATS)}"
    )
    options = parser.parse_args(arguments)
    if options.to and len(options.files) > 1:
        parser.error("--to: expected one file")
    try:
        return max([check(name, options.number, options.to) for name in options.files])
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def decimal(text: str) -> int:
    """A number of the command line."""
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"expected up to {MOST_DIGITS} decimal digits")
    return whole(text, 10)


def check(name: str, number: int | None, format: str | None = None) -> int:
    """Check one file, print its line, or it in another format, and return the exit status that it asks for."""
    progress = Progress(name)
    started = time.perf_counter()
    try:
        certificate = read(load(name))
        if number is not None and certificate.n != number:
            raise Rejected(0, certificate.n, f"expected a certificate for {shorten(number)}")
        verify(certificate, progress.note)
        digits = len(written(certificate.n))
        seconds = time.perf_counter() - started
        proof = f"{certificate.kind}, {certificate.length} steps, {seconds:.3f} s"
        status, told = 0, f"{shorten(certificate.n)} is prime: {digits} digits, {proof}"
        if format is not None:
            text = b"".join(write(certificate, format))  # whole before a part is written: it may have no such form
            sys.stdout.buffer.write(text)
    except Rejected as error:
        status, told = 1, f"not proven, {error}"
    except Unwritable as error:
        status, told = 2, f"not written, {error}"
    except (Malformed, OSError) as error:
        status, told = 2, f"not read, {error}"
    progress.clear()
    print(f"{name}: {told}", file=sys.stderr if status == 2 or format is not None else sys.stdout)
    return status


def load(name: str) -> bytes:
    """What the file holds; one byte more than allowed at most."""
    if name == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(MOST_BYTES + 1)


if __name__ == "__main__":
    sys.exit(main())
