"""Primo's format 3 is read, and refused in words where it is damaged."""

import pytest

from certificates.primo import read_primo
from certificates.structure import Coefficients, MinusStep, PlusStep, Step
from certificates.text import Malformed
from tests.unit.certificates.textbook import VECTORS

TEXT = (VECTORS / "30-digits-format-3.out").read_text()


def test_every_prefix_by_lines_is_refused() -> None:
    lines = TEXT.rstrip("\n").split("\n")
    for end in range(len(lines)):
        with pytest.raises(Malformed, match="expected"):
            read_primo("\n".join(lines[:end]))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Type=4", "Type=5", r"^line 12: expected Type= and a number from 0 to 4, got 'Type=5'$"),
        ("S$=160", "S$=0", r"^line 13: expected S above 0, got 'S\$=0'$"),
        ("S$=160", "S$=x", r"^line 13: expected S\$= and a hexadecimal number such as 1F or -1F, got 'S\$=x'$"),
        ("J$=-D2F", "B$=1", r"^line 15: expected J\$=, got 'B\$=1'$"),
        ("Type=4", "Type=1", r"^line 14: expected \(N - 1\) / S as R, got "),
        ("Type=4", "Type=2", r"^line 14: expected \(N \+ 1\) / S as R, got "),
    ],
)
def test_damage_is_refused_in_words(old: str, new: str, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        read_primo(TEXT.replace(old, new, 1))


def test_each_type_of_step_is_read() -> None:
    head = "[PRIMO - Primality Certificate]\nFormat=3\nTestCount=4\n[Candidate]\nN$=13\n"
    steps = ("Type=1\nS$=2\nR$=9\nB$=2", "Type=2\nS$=2\nR$=5\nQ$=3", "Type=3\nS$=1\nR$=7\nA$=-1\nB$=A\nT$=0")
    chain = read_primo(head + "".join(f"[{number}]\n{step}\n" for number, step in enumerate(steps, 1)) + "[4]\nType=0\n")
    assert chain.steps == (MinusStep(19, 2, 2), PlusStep(9, 2, 2, 3), Step(5, -1, 1, Coefficients(-1, 10, 0)))
    assert chain.last == 7
