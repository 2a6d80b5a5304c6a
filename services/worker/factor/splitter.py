"""A process that finds divisors (`split.py`), from outside."""

import contextlib
import os
import subprocess
import sys
from types import TracebackType
from typing import Self

import gmpy2
from gmpy2 import mpz

from services.worker.compute.frames import read_payloads, write_payload

# Seconds of a processor for one number: enough for most factors of up to 15 digits, some of 20, and for numbers of up to 60
# digits; a factor of 25 digits would take minutes. A guess at what is worth a place in the heavy lane.
BUDGET = 10


class Splitter:
    """The process for one number, started when it is first needed: most numbers are done before. It ends with this one's."""

    def __init__(self, seconds: int = BUDGET) -> None:
        """`seconds` of a processor, rounded up by its start."""
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(BrokenPipeError):  # what it did not read
                self._process.communicate()

    def split(self, n: mpz) -> mpz | None:
        """A divisor of composite n; None when the process has ended, since its time is over or its memory too small.

        It blocks for as long as it takes: whoever has a deadline kills this process. Call it from the main thread: the kernel ends
        the other one when the thread ends that started it.
        """
        process = self._start()
        assert process.stdin and process.stdout  # both are pipes
        with contextlib.suppress(BrokenPipeError):  # it ended already
            write_payload(process.stdin, gmpy2.digits(n).encode())
        found = next(read_payloads(process.stdout), b"")
        return mpz(found.decode()) if found else None

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            options = ["--seconds", str(self._seconds), "--parent", str(os.getpid())]
            command = [sys.executable, "-m", "services.worker.factor.split", *options]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # our own program
        return self._process
