"""Finds divisors of composite numbers with PARI, one after another: `python -m services.worker.factor.split`.

It is a program of its own since PARI is under the GPL, and since what PARI does can be ended only with its process: the
kernel ends this one when it has used as much of a processor as it may.
Numbers come on standard input and divisors go to standard output, in frames of decimal digits.
"""

import argparse
import math
import resource
import signal
import sys
import time
from typing import Any

import gmpy2
from gmpy2 import mpz

from services.runtime.tether import tether
from services.worker.compute.frames import read_payloads, write_payload
from services.worker.prove.certify import load_pari

STACK = 32  # MiB for PARI: twice what its sieve takes of a number of SIEVED bits, and there is room for it where a child has 128
SIEVED = 200  # bits, 60 digits: up to there PARI's own way, with a quadratic sieve at its end, takes two seconds or so

SMOOTH = 100_000  # bound of the primes in p - 1 for factors p that the method p - 1 finds: 40 ms at 120 digits
# Bounds of the primes for curves, one after another: for factors of 10, 12, 15, 20, 20 and at last 25 digits, as is usual.
# PARI tries some 60 curves for each, which take 0.05 s, 0.2 s, 0.4 s, 2 s, 2 s and 8 s at 120 digits.
CURVES = (150, 600, 2_000, 11_000, 11_000, 50_000)
SEEDS = 1_000  # between the seeds of two such tries, more than curves are in one


def main() -> None:
    """Bound this process, then answer until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m services.worker.factor.split", description=__doc__)
    parser.add_argument("--seconds", type=int, required=True, metavar="S", help="of a processor that the search may take in all")
    parser.add_argument("--parent", type=int, required=True, metavar="PID", help="process with which this one ends")
    arguments = parser.parse_args()
    tether(arguments.parent, signal.SIGKILL)
    search = Search()
    limit(arguments.seconds)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    for digits in read_payloads(source):
        write_payload(sink, gmpy2.digits(search.split(mpz(digits.decode()))).encode())


def limit(seconds: int) -> None:
    """End this process when it has taken so many more seconds of a processor; that is no crash that leaves a file."""
    end = math.ceil(time.process_time()) + seconds
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (end, end))


class Search:
    """Divisors of one number, and then of its divisors: what was tried on it in vain is not tried on them again."""

    def __init__(self) -> None:
        self._pari = load_curves()
        self._tried = 0  # how often curves were tried

    def split(self, n: mpz) -> mpz:
        """A divisor of composite n between 1 and n. It may take for ever: the kernel ends this process before."""
        if n.bit_length() <= SIEVED:
            return mpz(str(max(self._pari.factorint(self._pari(gmpy2.digits(n)))[0])))
        return (None if self._tried else by_predecessor(n)) or self._by_curves(n)

    def _by_curves(self, n: mpz) -> mpz:
        while True:
            bound = CURVES[min(self._tried, len(CURVES) - 1)]
            arguments = f"({gmpy2.digits(n)}, 1, {1 + SEEDS * self._tried}, {bound})"
            if self._pari(f"finds{arguments}") != 0:
                return mpz(str(self._pari(f"finder{arguments}")))
            self._tried += 1


def load_curves() -> Any:
    """PARI, in whose language `finds` and `finder` try curves: its own function for that, which its manual for C describes, has no
    name there. `finds` is 0 where `finder` would give nothing, which PARI's language has no value for.
    """
    import cypari._pari  # noqa: PLC0415  # here, for the reason of load_pari

    pari, _ = load_pari(STACK)
    pari(f'install("Z_ECM", "lGLLU", "finds", "{cypari._pari.__file__}")')
    pari(f'install("Z_ECM", "GLLU", "finder", "{cypari._pari.__file__}")')
    return pari


def by_predecessor(n: mpz) -> mpz | None:
    """The product of the prime factors p of n for which p - 1 has only primes below SMOOTH; None for none, or all."""
    power, p = mpz(2), mpz(2)
    while p < SMOOTH:
        power = gmpy2.powmod(power, p ** int(math.log(SMOOTH, p)), n)
        p = gmpy2.next_prime(p)
    divisor = gmpy2.gcd(power - 1, n)
    return divisor if 1 < divisor < n else None


if __name__ == "__main__":
    main()
