"""The page's modules under Node: their own tests, and the same judgement of certificates as Python's."""

import json
import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from certificates import Malformed, Rejected, read, verify
from tests.unit.certificates.textbook import VECTORS
from tests.unit.clients.node import NODE, ROOT

MUTATIONS = 150  # of each certificate
NUMBER = re.compile(r"(?<![\w.])-?(?:(?:0x|\$)[0-9A-F]+|[0-9]+)(?![\w.])")


def test_the_modules_own_tests_pass() -> None:
    files = sorted(ROOT.glob("tests/javascript/*.test.mjs"))
    assert files
    done = subprocess.run([NODE, "--test", *files], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr


def judge(text: str) -> str:
    """Python's word on a certificate."""
    try:
        certificate = read(text.encode())
        verify(certificate)
    except Malformed:
        return "malformed"
    except Rejected:
        return "rejected"  # at which step may differ: where a quotient is not prime, some chains of additions fail a step earlier
    return f"proves {certificate.n}"


def integer(text: str) -> int:
    """In decimal, or in hexadecimal as Primo and PARI have it."""
    return int(text.replace("$", "0x"), 16 if "$" in text or "x" in text else 10)


def mutate(text: str, chance: random.Random) -> str:
    """The text with one number, line, character or digit changed."""
    kind = chance.randrange(6)
    if kind < 3:  # a number, by little, to its negative, or to another number of the certificate
        numbers = list(NUMBER.finditer(text))
        found = chance.choice(numbers)
        value = integer(found[0])
        changed = (value + chance.choice([-2, -1, 1, 2]), -value, integer(chance.choice(numbers)[0]))[kind]
        mark = "0x" if "0x" in found[0] else "$" if "$" in found[0] else ""
        written = f"{'-' * (changed < 0)}{mark}{abs(changed):X}" if mark else str(changed)
        return text[: found.start()] + written + text[found.end() :]
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    if kind == 3 and len(lines) > 3:  # a line is missing, or there twice
        return "\n".join(lines[:at] + [lines[at]] * chance.choice([0, 2]) + lines[at + 1 :])
    where = chance.randrange(len(text))
    if kind == 4:
        return text[:where] + chance.choice("0123456789ABCDEFabcdefx-=[], \t\r\nST") + text[where + 1 :]
    return text[:where] + text[where + 1 :]


def mutations(text: str, seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    yield text
    for _ in range(MUTATIONS):
        yield mutate(text, chance)


@pytest.mark.parametrize("name", sorted(path.name for path in VECTORS.iterdir() if path.suffix != ".md"))
def test_javascript_judges_a_certificate_and_its_mutations_as_python_does(name: str) -> None:
    texts = list(mutations((VECTORS / name).read_text(), seed=len(name)))
    asked = "".join(json.dumps(text) + "\n" for text in texts)
    judged = subprocess.run(
        [NODE, ROOT / "tests/javascript/judge.mjs"], input=asked, capture_output=True, text=True, check=True, timeout=120
    ).stdout.splitlines()
    wanted = [judge(text) for text in texts]
    different = [(text, ours, theirs) for text, ours, theirs in zip(texts, wanted, judged, strict=True) if ours != theirs]
    assert not different, f"{len(different)} of {len(texts)}, the first: {different[0]}"
    kinds = Counter(word.split()[0] for word in wanted)
    assert wanted[0].startswith("proves")
    assert kinds["malformed"] > 10 and kinds["rejected"] > 10, kinds
