"""Has Spin check a model of docs/model: every state that its processes can reach, in whatever order they act."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "docs" / "model"
DEPTH = 1_000_000  # steps of one history; the longest one here has some hundreds
PATIENCE = (
    250  # seconds of one step; the longest takes 16 on a core of its own, and took 105 on a machine where others wanted it too
)
SLOTS = 22  # log2 of those of the hash table: as many as there are states, and no more memory than needed


@dataclass(frozen=True)
class Outcome:
    """What a check found."""

    violated: str  # the claim or assertion that does not hold; empty if all do
    states: int
    whole: bool  # whether every state was looked at


class Model:
    """A model, compiled with switches, each of which takes one of its rules back."""

    def __init__(self, name: str, directory: Path, *switches: str) -> None:
        """Skips the test where there is no Spin."""
        if not shutil.which("spin") or not shutil.which("gcc"):
            pytest.skip("no spin, or no gcc, which it needs (Debian: spin, gcc)")
        self._directory = directory
        for file in MODELS.glob("*.pml"):
            shutil.copy(file, directory)
        _run(directory, "spin", "-a", *(f"-D{switch}" for switch in switches), f"{name}.pml")
        # what breaks is found in a second; to look at everything takes long enough to be worth a slower compilation
        _run(directory, "gcc", "-O0" if switches else "-O1", "-w", "-DCOLLAPSE", "-o", "pan", "pan.c")

    def check(self, claim: str = "") -> Outcome:
        """Look for a state in which the claim of this name, or an assertion in the model, does not hold."""
        chosen = ("-a", "-N", claim) if claim else ()
        return _read(_run(self._directory, "./pan", f"-m{DEPTH}", f"-w{SLOTS}", *chosen), claim)


def _run(directory: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def _read(said: str, claim: str) -> Outcome:
    states = re.search(r"(\d+) states, stored", said)
    errors = re.search(r"errors: (\d+)", said)
    assert states and errors, said
    broken = re.search(r"^pan:1: (.*) \(at depth", said, re.MULTILINE)
    assert bool(broken) == (errors[1] != "0"), said
    violated = "" if broken is None else claim or broken[1]
    return Outcome(violated, int(states[1]), "max search depth too small" not in said and "Search not completed" not in said)
