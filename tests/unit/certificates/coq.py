"""Has Coq check a certificate: Debian's `coqprime-tools` make a theorem of it, and `libcoq-coqprime` has the proven checker."""

import re
import subprocess
from pathlib import Path

# Debian's library has the checker under another name than the tools take it to have, and is not built for native code.
HEAD = """From Coq Require Import List ZArith Znumtheory.
From Coqprime Require Import PocklingtonCertificat Pock.
Local Open Scope Z_scope.
Local Open Scope positive_scope.
Definition prime2 : prime 2 := prime_2.
Definition prime3 : prime 3 := prime_3.
"""
TOOL_HEAD = re.compile(r"From Coqprime Require Import PocklingtonRefl\.\s*Local Open Scope positive_scope\.")
WITHIN = 120  # seconds: 100 digits take six


def proves(text: str, number: int, folder: Path) -> bool:
    """Whether Coq takes from this text, in `o2v`'s format, that the number is prime."""
    certificate, theorem = folder / "certificate", folder / "theorem.v"
    certificate.write_text(text)
    if not _run(["o2v", "-n", "shown", "-o", theorem.name, certificate.name], folder):
        return False
    body = _strip(theorem.read_text())
    small = _prove_small(body, folder)
    theorem.write_text(f"{HEAD}{small}{body}\nCheck (shown : prime {number}).\n")
    return _run(["coqc", theorem.name], folder)


def _prove_small(body: str, folder: Path) -> str:
    """What the theorem takes for known: small primes by name, and what these take, the least ones first."""
    known, lemmas = {2, 3}, dict[int, str]()
    wanted = _named(body)
    while missing := wanted - known:
        for prime in missing:
            made = folder / "small.v"
            assert _run(["pocklington", "-o", made.name, str(prime)], folder), f"no theorem of {prime}"
            lemmas[prime] = _strip(made.read_text()).replace("myPrime", f"prime{prime}")
            wanted |= _named(lemmas[prime])
        known |= missing
    return "".join(lemmas[prime] for prime in sorted(lemmas))


def _named(text: str) -> set[int]:
    """The primes whose theorems are named."""
    return {int(digits) for digits in re.findall(r"\bprime(\d+)\)", text)}


def _strip(theorem: str) -> str:
    return TOOL_HEAD.sub("", theorem).replace("native_cast_no_check", "vm_cast_no_check")


def _run(command: list[str], folder: Path) -> bool:
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=WITHIN).returncode == 0
