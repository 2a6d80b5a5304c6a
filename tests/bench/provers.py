"""The programs whose proofs of primality are compared, each in a process of its own: `python -m tests.bench.provers NAME`.

It speaks as `testers.py` does.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from tests.bench.testers import PARI_STACK, Test, Tester, serve

MODULE = "Math::Prime::Util::GMP"  # Debian's libmath-prime-util-gmp-perl
# Proves one number and says whether it did, and the CPU time of that in ns.
PERL = (
    "my $start = clock_gettime(CLOCK_PROCESS_CPUTIME_ID);"
    "my ($proven) = is_provable_prime_with_cert($ARGV[0]);"
    "printf('%d %.0f', $proven == 2, 1e9 * (clock_gettime(CLOCK_PROCESS_CPUTIME_ID) - $start));"
)


def _pari_verdict() -> tuple[Callable[[str], Any], Test]:
    from cypari import pari

    pari.allocatemem(PARI_STACK, PARI_STACK, silent=True)
    return pari, lambda n: bool(n.isprime())


def _pari_certificate() -> tuple[Callable[[str], Any], Test]:
    from cypari import pari

    pari.allocatemem(PARI_STACK, PARI_STACK, silent=True)
    return pari, lambda n: bool(pari.primecert(n) != 0)


def _flint() -> tuple[Callable[[str], Any], Test]:
    import flint

    return flint.fmpz, lambda n: bool(n.is_prime())


def _sympy() -> tuple[Callable[[str], Any], Test]:
    import sympy

    return int, sympy.isprime


def _ours() -> tuple[Callable[[str], Any], Test]:
    import gmpy2

    from services.worker.prove import proof
    from services.worker.prove.certify import Route, certify

    def prove(n: gmpy2.mpz) -> bool:
        """As a worker's two processes do it, in one, so that its clock shows all of it."""
        return proof.checked(n, certify(n, Route.AUTO, PARI_STACK >> 20).pari).steps > 0

    return gmpy2.mpz, prove


class Perl:
    """Math::Prime::Util::GMP, in a process for each number, whose start is not counted."""

    def __init__(self) -> None:
        self._spent = 0  # ns of CPU

    def clock(self) -> int:
        return self._spent

    def prove(self, number: str) -> bool:
        uses = [f"-M{MODULE}=is_provable_prime_with_cert", "-MTime::HiRes=clock_gettime,CLOCK_PROCESS_CPUTIME_ID"]
        run = subprocess.run(["perl", *uses, "-e", PERL, number], stdout=subprocess.PIPE, check=False)
        if run.returncode == -signal.SIGXCPU:  # the bound, which it has from this process
            os.kill(os.getpid(), signal.SIGXCPU)
        run.check_returncode()
        proven, spent = run.stdout.split()
        self._spent += int(spent)
        return proven == b"1"


perl = Perl()
PROVERS = {
    "ours": Tester("primes, as the lane of proofs does it", "a certificate, verified by other code", _ours),
    "pari-certificate": Tester("PARI `primecert`", "a certificate", _pari_certificate),
    "mpu": Tester(f"{MODULE} `is_provable_prime_with_cert`", "a certificate", lambda: (str, perl.prove), perl.clock),
    "pari-verdict": Tester("PARI `isprime`", "a verdict", _pari_verdict),
    "flint": Tester("python-flint `is_prime`", "a verdict", _flint),
    "sympy": Tester("sympy `isprime`, which has no proof", "a probable prime", _sympy),
}


def missing() -> dict[str, str]:
    """The provers that are not installed here, and what has them."""
    found = {}
    if (
        not shutil.which("perl")
        or subprocess.run(["perl", f"-M{MODULE}", "-e", ""], stderr=subprocess.DEVNULL, check=False).returncode
    ):
        found["mpu"] = f"{MODULE} is not installed: Debian has it as libmath-prime-util-gmp-perl"
    if find_spec("sympy") is None:
        found["sympy"] = "sympy is not installed: `make bench-proofs` does that"
    return found


if __name__ == "__main__":
    serve(PROVERS[sys.argv[1]])
