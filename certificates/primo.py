"""Reads the text that Primo gave its name to, in the version 4 that PARI writes.

[PRIMO - Primality Certificate]
Format=4
TestCount=1          steps that follow
                     empty lines may stand anywhere
[Comments]           optional; any lines, up to the next title
[Candidate]
N=0x1000000000000000D
[1]
S=0x27284            (N + 1 - W) / S is the next number
W=-0x1F618CFA6
J=…                  or, where the j-invariant is 0 or 1728, A=… and B=…
T=…
"""

import re
from typing import NoReturn

from .arithmetic import whole
from .structure import Chain, Coefficients, Curve, Invariant, Step
from .text import MOST_DIGITS, MOST_STEPS, Malformed, quote

TITLE = "[PRIMO - Primality Certificate]"
_COUNT = re.compile(r"[0-9]{1,9}")
_HEXADECIMAL = re.compile(r"(-?)0x([0-9A-Fa-f]+)")


def read_primo(text: str) -> Chain:
    """A certificate in Primo's format 4. Raises Malformed.

    The steps by which Primo itself proves with factors of N-1 and N+1 are not among those that PARI writes; they are not read.
    """
    lines = _Lines(text)
    lines.title(TITLE)
    if lines.value("Format") != "4":
        lines.fail("Format=4")
    count = lines.count("TestCount")
    lines.skip_comments()
    lines.title("[Candidate]")
    first = n = lines.integer("N")
    steps = []
    for number in range(1, count + 1):
        step = _read_step(lines, number, n)
        steps.append(step)
        n = (n + 1 - step.t) // step.s  # whether it divides is for the verifier to say
    lines.end(count)
    return Chain(first, tuple(steps))


def _read_step(lines: "_Lines", number: int, n: int) -> Step:
    lines.title(f"[{number}]")
    s = lines.integer("S")
    if s < 1:
        lines.fail("S above 0")
    t = lines.integer("W")
    curve: Curve
    if lines.next_is("J"):
        curve = Invariant(lines.integer("J"), lines.integer("T"))
    else:
        curve = Coefficients(lines.integer("A", "J= or A="), lines.integer("B"), lines.integer("T"))
    return Step(n, t, s, curve)


class _Lines:
    """Hands out the lines that are not empty, one by one."""

    def __init__(self, text: str) -> None:
        self._lines = [(number, line.rstrip(" \t\r")) for number, line in enumerate(text.split("\n"), 1) if line.strip(" \t\r")]
        self._at = 0  # the next line

    def _next(self, expected: str) -> str:
        if self._at == len(self._lines):
            raise Malformed(f"end of the text: expected {expected}")
        self._at += 1
        return self._lines[self._at - 1][1]

    def fail(self, expected: str) -> NoReturn:
        """Of the line that was handed out last."""
        number, line = self._lines[self._at - 1]
        raise Malformed(f"line {number}: expected {expected}, got {quote(line)}")

    def title(self, title: str) -> None:
        """A line that is this."""
        if self._next(title) != title:
            self.fail(title)

    def next_is(self, name: str) -> bool:
        """Whether the next line gives `name` a value."""
        return self._at < len(self._lines) and self._lines[self._at][1].startswith(f"{name}=")

    def value(self, name: str, expected: str = "") -> str:
        """What follows the `name=` of the next line."""
        expected = expected or f"{name}="
        key, equals, value = self._next(expected).partition("=")
        if key != name or not equals:
            self.fail(expected)
        return value

    def count(self, name: str) -> int:
        """A number of steps."""
        value = self.value(name)
        if not _COUNT.fullmatch(value) or int(value) > MOST_STEPS:
            self.fail(f"{name}= and a number up to {MOST_STEPS}")
        return int(value)

    def integer(self, name: str, expected: str = "") -> int:
        """A hexadecimal number."""
        value = self.value(name, expected)
        if len(value) > MOST_DIGITS:
            self.fail(f"{name}= and at most {MOST_DIGITS} characters")
        match = _HEXADECIMAL.fullmatch(value)
        if not match:
            self.fail(f"{name}= and a hexadecimal number such as 0x1F or -0x1F")
        return whole(match[1] + match[2], 16)

    def skip_comments(self) -> None:
        """The section of comments, if there is one."""
        if self._at < len(self._lines) and self._lines[self._at][1] == "[Comments]":
            while self._at < len(self._lines) and self._lines[self._at][1] != "[Candidate]":
                self._at += 1

    def end(self, count: int) -> None:
        """No line is left."""
        if self._at < len(self._lines):
            self._at += 1
            self.fail(f"the end of the text after {count} steps (TestCount)")
