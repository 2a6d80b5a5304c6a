"""The primality tests that are compared, each in a process of its own: `python -m tests.bench.testers NAME`.

A process of its own, so that a test that takes too long can be ended, and because PARI is under the GPL.
It reads a JSON request a line and writes a JSON report a line.
"""

import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

PARI_STACK = 1 << 29  # bytes, taken as they are used: the default overflows at 250 digits
SHORTEST = 50_000_000  # ns of CPU that one measurement takes at least, in whole passes


class Request(msgspec.Struct):
    """Numbers to test, and the seconds of CPU after which this process ends instead of answering."""

    numbers: list[str]
    seconds: int


class Report(msgspec.Struct):
    """For each number whether it is prime, and the CPU time of one call in nanoseconds."""

    prime: list[bool]
    nanoseconds: float


Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Tester:
    """One way to ask: `make` gives what reads a number and what tests it. The import is part of it: each process has one."""

    call: str
    worth: str  # of the verdict "prime"; "composite" is certain from all of them
    make: Callable[[], tuple[Callable[[str], Any], Test]]
    clock: Callable[[], int] = time.process_time_ns  # of the CPU time that it took, in ns


def _gmpy2() -> tuple[Callable[[str], Any], Test]:
    import gmpy2

    return gmpy2.mpz, gmpy2.is_prime


def _flint_probable() -> tuple[Callable[[str], Any], Test]:
    import flint

    return flint.fmpz, lambda n: bool(n.is_probable_prime())


def _flint_proof() -> tuple[Callable[[str], Any], Test]:
    import flint

    # Without the first, a composite that was made for it keeps the second busy for minutes.
    return flint.fmpz, lambda n: bool(n.is_probable_prime() and n.is_prime())


def _pari_probable() -> tuple[Callable[[str], Any], Test]:
    from cypari import pari

    return pari, lambda n: bool(n.ispseudoprime())


def _pari_proof() -> tuple[Callable[[str], Any], Test]:
    from cypari import pari

    pari.allocatemem(PARI_STACK, PARI_STACK, silent=True)
    return pari, lambda n: bool(n.isprime())


def _sympy() -> tuple[Callable[[str], Any], Test]:
    import sympy

    return int, sympy.isprime


def _ours() -> tuple[Callable[[str], Any], Test]:
    from services.jobs.messages import Verdict
    from services.worker.compute.primes import examine

    return str, lambda number: examine(number).verdict in (Verdict.PRIME, Verdict.PROBABLY_PRIME)


WORD = "proven below 2^64, else probable"
TESTERS = {
    "gmpy2": Tester("gmpy2 `is_prime`", WORD, _gmpy2),
    "flint-probable": Tester("python-flint `is_probable_prime`", WORD, _flint_probable),
    "flint-proof": Tester("python-flint `is_probable_prime`, then `is_prime`", "proven", _flint_proof),
    "pari-probable": Tester("PARI `ispseudoprime`", WORD, _pari_probable),
    "pari-proof": Tester("PARI `isprime`", "proven", _pari_proof),
    "sympy": Tester("sympy `isprime`, with gmpy2 beneath", WORD, _sympy),
    "ours": Tester("primes `examine`", "proven below 3.3·10^24, else probable", _ours),
}


def measure(test: Test, numbers: list[Any], clock: Callable[[], int]) -> Report:
    """Whole passes over the numbers, until they took long enough to be timed."""
    prime: list[bool] = []
    passes, started = 0, clock()
    while (spent := clock() - started) < SHORTEST:
        prime = [test(n) for n in numbers]
        passes += 1
    return Report([bool(one) for one in prime], spent / passes / len(numbers))


def bound(seconds: int) -> None:
    """Have the kernel end this process after so many more seconds of CPU, whatever native code it is in."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, hard))


def serve(tester: Tester) -> None:
    """Answer until standard input ends."""
    read, test = tester.make()
    with suppress(BrokenPipeError):
        for line in sys.stdin.buffer:
            request = msgspec.json.decode(line, type=Request)
            bound(request.seconds)
            report = measure(test, [read(number) for number in request.numbers], tester.clock)
            sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(TESTERS[sys.argv[1]])
