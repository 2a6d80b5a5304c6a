"""Programs of others take what is written here, and refuse what was changed: PARI, Math::Prime::Util and its `vcert`, Coq.

PARI comes with the environment; Coq and Perl's module by .ci/tools.sh, with the source of `vcert`, which is compiled here.
"""

import random
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from cypari import pari

from certificates import Malformed, Rejected, Unwritable, read, verify, write
from tests.unit.certificates import coq
from tests.unit.certificates.textbook import VECTORS

SOURCE = Path("/usr/share/doc/libmath-prime-util-gmp-perl/examples/vcert.c")
MUTATIONS = 20  # of each text
NUMBER = re.compile(r"(?<![\w.\[])-?(?:\$[0-9A-F]+|[0-9]+)(?![\w.\]])")
PERL = "use Math::Prime::Util 'verify_prime'; local $/ = undef; exit(verify_prime(<STDIN>) ? 0 : 1)"


def written(format: str) -> dict[str, str]:
    """The vectors in this format, those that have it."""
    texts = {}
    for path in sorted(VECTORS.iterdir()):
        if path.suffix == ".md":
            continue
        try:
            texts[path.name] = b"".join(write(read(path.read_bytes()), format)).decode()
        except Unwritable:
            continue
    return texts


def mutations(text: str, seed: str) -> list[str]:
    """The text with one number changed by little, to its negative, or to another number of the text."""
    chance = random.Random(seed)
    head, mark, body = text.partition("Proof for:") if "Proof for:" in text else text.partition("[Candidate]")
    numbers = list(NUMBER.finditer(body)) if mark else []
    if not mark:
        head, body = "", text
        numbers = list(re.finditer(r"-?[0-9]+", text))
    changed = []
    for _ in range(MUTATIONS):
        found = chance.choice(numbers)
        base = 16 if "$" in found[0] else 10
        value = int(found[0].replace("$", ""), base)
        other = chance.choice(numbers)[0]
        new = chance.choice([value - 1, value + 1, value + 2, -value, int(other.replace("$", ""), 16 if "$" in other else 10)])
        put = f"{'-' * (new < 0)}{'$' * (base == 16)}{abs(new):{'X' if base == 16 else 'd'}}"
        changed.append(head + mark + body[: found.start()] + put + body[found.end() :])
    return changed


def ours(text: str) -> bool:
    """Whether our verifier takes it."""
    try:
        verify(read(text.encode()))
    except (Malformed, Rejected):
        return False
    return True


def pari_takes(text: str) -> bool:
    try:
        return bool(pari(text).primecertisvalid())
    except Exception:  # PARI's errors have no common type that is public, and a refusal is one
        return False


def perl_takes(text: str) -> bool:
    done = subprocess.run([shutil.which("perl") or "perl", "-e", PERL], input=text.encode(), capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="session")
def perl() -> None:
    """Math::Prime::Util is there."""
    probe = subprocess.run(["perl", "-MMath::Prime::Util", "-e", "1"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("Math::Prime::Util is not installed: .ci/tools.sh does, as root on Debian")


@pytest.fixture(scope="session")
def vcert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program."""
    if not SOURCE.exists() or shutil.which("cc") is None:
        pytest.skip(f"no {SOURCE} or no C compiler: .ci/tools.sh installs them, as root on Debian")
    program = tmp_path_factory.mktemp("vcert") / "vcert"
    built = subprocess.run(["cc", "-O1", "-w", "-o", program, SOURCE, "-lgmp", "-lm"], capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"vcert is not compiled, GMP's header is missing: {built.stderr.splitlines()[0]}")
    return program


def test_pari_takes_paris_text_and_refuses_what_was_changed() -> None:
    texts = written("pari")
    taken = {name: text for name, text in texts.items() if name != "n-plus-1.pari"}  # a form that PARI does not have
    assert len(taken) >= 8
    assert [name for name, text in taken.items() if not pari_takes(text)] == []
    curves = {name: text for name, text in taken.items() if text.startswith("[[")}
    told = Counter((ours(changed), pari_takes(changed)) for name, text in curves.items() for changed in mutations(text, name))
    # PARI looks at less: it was seen to take three of 1,309 changed texts that prove nothing.
    assert told[False, True] <= 3, told
    assert told[False, False] > 50, told
    for name in taken.keys() - curves.keys():  # of N-1 it takes -p for p, and 4 for 2: only other changes are compared
        for changed in mutations(taken[name], name):
            assert ours(changed) or not pari_takes(changed) or re.search(r"[ \[](?:-|4[],])", changed), changed


def test_math_prime_util_takes_its_text_and_refuses_what_was_changed(perl: None) -> None:
    texts = written("mpu")
    assert len(texts) >= 10
    assert [name for name, text in texts.items() if not perl_takes(text)] == []
    few = [changed for name, text in texts.items() for changed in mutations(text, name)[:8]]
    told = Counter((ours(changed), perl_takes(changed)) for changed in few)
    assert told[False, True] == 0, told
    assert told[False, False] > 20, told


@pytest.mark.parametrize("format", ["primo", "mpu"])
def test_vcert_takes_the_texts_and_refuses_what_was_changed(format: str, vcert: Path, tmp_path: Path) -> None:
    def takes(text: str) -> bool:
        file = tmp_path / "certificate"
        file.write_text(text)
        return subprocess.run([vcert, "-q", file], capture_output=True, check=False).returncode == 0

    texts = written(format)
    assert [name for name, text in texts.items() if not takes(text)] == []
    told = Counter((ours(changed), takes(changed)) for name, text in texts.items() for changed in mutations(text, name))
    # vcert looks at less: it was seen to take two of 1,309 changed texts that prove nothing.
    assert told[False, True] <= 2, told
    assert told[False, False] > 50, told


@pytest.mark.skipif(shutil.which("o2v") is None, reason="Coq is not installed: .ci/tools.sh does, as root on Debian")
def test_coq_takes_its_text_and_refuses_what_was_changed(tmp_path: Path) -> None:
    texts = {name: text for name, text in written("coq").items() if name.endswith(".primo")}  # of the others it is the same
    numbers = {name: read(text.encode()).n for name, text in texts.items()}
    assert len(numbers) >= 3
    assert [name for name, text in texts.items() if not coq.proves(text, numbers[name], tmp_path)] == []
    name = "30-digits.primo"
    changed = [text for text in mutations(texts[name], name) if not ours(text)][:3]
    assert [text for text in changed if coq.proves(text, numbers[name], tmp_path)] == []
    assert not coq.proves(texts["small.primo"], 101, tmp_path)  # a theorem, but of another number
