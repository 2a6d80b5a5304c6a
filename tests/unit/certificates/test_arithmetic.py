"""Certificates hold, or do not, whether their numbers are gmpy2's or Python's own."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import gmpy2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import arithmetic
from certificates.arithmetic import jacobi
from certificates.n_minus_1 import power_in
from tests.unit.certificates.textbook import VECTORS

ROOT = Path(__file__).parents[3]

# What the verifier makes of a text, in a process that cannot import gmpy2.
WITHOUT = """
import json, sys
sys.modules["gmpy2"] = None
from certificates import Malformed, Rejected, arithmetic, read, verify
assert arithmetic.fast is int
def judge(text):
    try:
        certificate = read(text.encode())
        verify(certificate)
    except (Malformed, Rejected) as error:
        return f"{type(error).__name__} {error}"
    return f"{certificate.kind} {certificate.length} {hex(certificate.n)}"
print(json.dumps([judge(text) for text in json.load(sys.stdin)]))
"""
JUDGE = WITHOUT.replace('sys.modules["gmpy2"] = None', "").replace("is int", "is not int")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module as it is where gmpy2 is not installed."""
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "gmpy2", None)
        yield importlib.reload(arithmetic)
    importlib.reload(arithmetic)


def judged(program: str, texts: list[str]) -> list[str]:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, cwd=ROOT, check=True, timeout=60)
    return list(json.loads(done.stdout))


def changed(text: str) -> Iterator[str]:
    """The text, and the same with a digit changed at eight places."""
    yield text
    digits = [at for at, character in enumerate(text) if character.isdigit()]
    for at in digits[:: max(1, len(digits) // 8)]:
        yield text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]


def test_what_is_proven_does_not_depend_on_gmpy2() -> None:
    golden = [path.read_text() for path in sorted(VECTORS.glob("*.p*")) if "factorial" not in path.name]  # 935 digits take seconds
    texts = [text for one in golden for text in changed(one)] + [f"[{'8' * 20_001}, [2]]", f"-{'9' * 9_000}", "9" * 50_001]
    without = judged(WITHOUT, texts)
    assert without == judged(JUDGE, texts)
    assert sum(word.startswith(("ECPP", "N-1", "small")) for word in without) >= len(golden)
    assert {word.split()[0] for word in without} >= {"ECPP", "N-1", "small", "Malformed", "Rejected"}


@pytest.mark.parametrize("text", ["0", "-0", "7", "-7", "9" * 4_001, "-1" + "0" * 12_000, "0" * 5_000 + "7"])
def test_numbers_are_read_and_written_beyond_pythons_own_limit(slow: ModuleType, text: str) -> None:
    number = slow.whole(text, 10)
    assert type(number) is int
    assert number == gmpy2.mpz(text)
    assert slow.written(number) == gmpy2.digits(gmpy2.mpz(text))


@given(st.integers(-(10**12), 10**30), st.integers(0, 10**30))
def test_the_jacobi_symbol_is_gmpy2s(a: int, half: int) -> None:
    assert jacobi(a, 2 * half + 1) == gmpy2.jacobi(a, 2 * half + 1)


@given(st.integers(1, 10**9), st.integers(2, 50), st.integers(1, 300))
def test_the_power_of_a_number_is_taken_out_whole(rest: int, p: int, times: int) -> None:
    power = power_in(rest * p**times, p)
    assert (rest * p**times) % power == 0 and (rest * p**times // power) % p
    assert power == p ** (gmpy2.remove(gmpy2.mpz(rest * p**times), p)[1])
