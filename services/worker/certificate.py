"""A primality certificate, and the readers of the two texts that it is written in: Primo's and PARI's.

Pure: it needs gmpy2 alone, so that whoever checks a certificate needs nothing else. What is read has the right form; whether it
proves anything is for `verify` to say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, TypeVar

from gmpy2 import mpz

# Bounds, checked before anything is parsed. They are generous: 50,000 digits is where the records of elliptic curves stand.
MOST_BYTES = 64 << 20  # of a text: 10,000 digits take about 20 MB
MOST_DIGITS = 50_000  # of one number, in whatever base it is written
MOST_STEPS = 10_000  # 10,000 digits take about 1,500
MOST_DEPTH = 100  # of N-1 certificates within each other; each level is a smaller number, and two or three are usual

T = TypeVar("T")

SHOWN = 40  # characters of a text that an error quotes


class Malformed(ValueError):
    """The text is no certificate; the message says where, what came, and what was expected."""


class Kind(StrEnum):
    """How a certificate proves its number."""

    ECPP = "ECPP"  # elliptic curves (Atkin-Morain)
    N_MINUS_1 = "N-1"  # prime factors of N-1 (Pocklington; Brillhart, Lehmer and Selfridge)
    SMALL = "small"  # no step: the number is small enough for a strong test that is exact


@dataclass(frozen=True, slots=True)
class Affine:
    """PARI's curve: y^2 = x^3 + a x + b through the point (x, y), which says what b is."""

    a: mpz
    x: mpz
    y: mpz


@dataclass(frozen=True, slots=True)
class Invariant:
    """Primo's curve by its j-invariant, which is neither 0 nor 1728, and a number t that the point is made from."""

    j: mpz
    t: mpz


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Primo's curve where the j-invariant is 0 or 1728: by its coefficients."""

    a: mpz
    b: mpz
    t: mpz


Curve = Affine | Invariant | Coefficients


@dataclass(frozen=True, slots=True)
class Step:
    """One step of ECPP: n is prime if (n + 1 - t) / s is, by a curve and a point on it."""

    n: mpz
    t: mpz
    s: mpz
    curve: Curve


@dataclass(frozen=True, slots=True)
class Chain:
    """An ECPP certificate: each step leads to a smaller number, the last to a small prime. Without a step n is small itself."""

    n: mpz
    steps: tuple[Step, ...] = ()

    @property
    def kind(self) -> Kind:
        """How it proves n."""
        return Kind.ECPP if self.steps else Kind.SMALL

    @property
    def length(self) -> int:
        """How many steps it has."""
        return len(self.steps)


@dataclass(frozen=True, slots=True)
class Factor:
    """A prime factor of n - 1. A large one has a certificate of its own, and comes with a base; a small one has neither."""

    p: mpz
    base: mpz | None = None
    certificate: "Pocklington | None" = None


@dataclass(frozen=True, slots=True)
class Pocklington:
    """An N-1 certificate: enough prime factors of n - 1."""

    n: mpz
    factors: tuple[Factor, ...]

    @property
    def kind(self) -> Kind:
        """How it proves n."""
        return Kind.N_MINUS_1

    @property
    def length(self) -> int:
        """How many numbers it proves prime, those within it included."""
        return 1 + sum(factor.certificate.length for factor in self.factors if factor.certificate)


Certificate = Chain | Pocklington


def read(data: bytes) -> Certificate:
    """The certificate that the text holds, in whichever format. Raises Malformed."""
    if len(data) > MOST_BYTES:
        raise Malformed(f"expected at most {MOST_BYTES} bytes, got {len(data)}")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start}: expected ASCII, got 0x{data[error.start]:02X}") from None
    return read_primo(text) if text.lstrip().startswith(_TITLE[:6]) else read_pari(text)


# Primo's text, in the version 4 that PARI writes:
#
#     [PRIMO - Primality Certificate]
#     Format=4
#     TestCount=1          steps that follow
#                          empty lines may stand anywhere
#     [Comments]           optional; any lines, up to the next title
#     [Candidate]
#     N=0x1000000000000000D
#     [1]
#     S=0x27284            (N + 1 - W) / S is the next number
#     W=-0x1F618CFA6
#     J=…                  or, where the j-invariant is 0 or 1728, A=… and B=…
#     T=…

_TITLE = "[PRIMO - Primality Certificate]"
_COUNT = re.compile(r"[0-9]{1,9}")
_HEXADECIMAL = re.compile(r"(-?)0x([0-9A-Fa-f]+)")


def read_primo(text: str) -> Chain:
    """A certificate in Primo's format 4. Raises Malformed.

    The steps by which Primo itself proves with factors of N-1 and N+1 are not among those that PARI writes; they are not read.
    """
    lines = _Lines(text)
    lines.title(_TITLE)
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


def _read_step(lines: "_Lines", number: int, n: mpz) -> Step:
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

    def integer(self, name: str, expected: str = "") -> mpz:
        """A hexadecimal number."""
        value = self.value(name, expected)
        if len(value) > MOST_DIGITS:
            self.fail(f"{name}= and at most {MOST_DIGITS} characters")
        match = _HEXADECIMAL.fullmatch(value)
        if not match:
            self.fail(f"{name}= and a hexadecimal number such as 0x1F or -0x1F")
        return mpz(match[1] + match[2], 16)

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


# PARI's text, as it prints a vector: for ECPP [[N, t, s, a, [x, y]], …]; for N-1 [N, [p, …, [p, base, [N, […]]], …]];
# for a number below 2^64 that number alone.

_SPACE = re.compile(r"[ \t\r\n]*")
_DECIMAL = re.compile(r"-?[0-9]+")


def read_pari(text: str) -> Certificate:
    """A certificate as PARI prints it. Raises Malformed."""
    vector = _Vector(text)
    certificate: Certificate
    if vector.next() != "[":
        certificate = Chain(vector.integer("[ or a number"))
    elif vector.then() == "[":
        steps = vector.items(vector.step)
        certificate = Chain(steps[0].n, steps)
    else:
        certificate = vector.pocklington(0)
    vector.end()
    return certificate


class _Vector:
    """Reads numbers and nested vectors of them, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = self._skip(0)  # the next character that is no space
        self._count = 0  # items of lists so far, in all

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        assert match  # it matches nothing, too
        return match.end()

    def next(self) -> str:
        """The next character; empty at the end."""
        return self._text[self._at : self._at + 1]

    def then(self) -> str:
        """The one after that."""
        at = self._skip(self._at + 1)
        return self._text[at : at + 1]

    def fail(self, expected: str) -> NoReturn:
        """Of what comes next."""
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - self._text.rfind("\n", 0, self._at)
        came = self._text[self._at : self._at + SHOWN + 1]
        raise Malformed(f"line {line}, column {column}: expected {expected}, got {quote(came) if came else 'the end of the text'}")

    def take(self, character: str) -> None:
        """This character."""
        if self.next() != character:
            self.fail(character)
        self._at = self._skip(self._at + 1)

    def integer(self, expected: str = "a number") -> mpz:
        """A decimal number."""
        match = _DECIMAL.match(self._text, self._at, self._at + MOST_DIGITS + 1)
        if not match:
            self.fail(expected)
        if match.end() - self._at > MOST_DIGITS:
            self.fail(f"a number of at most {MOST_DIGITS} characters")
        self._at = self._skip(match.end())
        return mpz(match[0])

    def items(self, item: Callable[[], T]) -> tuple[T, ...]:
        """A vector of one such thing or more."""
        found = []
        self.take("[")
        while True:
            self._count += 1
            if self._count > MOST_STEPS:
                self.fail(f"at most {MOST_STEPS} steps or factors")
            found.append(item())
            if self.next() == "]":
                self.take("]")
                return tuple(found)
            if self.next() != ",":
                self.fail(", or ]")
            self.take(",")

    def step(self) -> Step:
        """One step of ECPP."""
        self.take("[")
        n, t, s, a = (self._before_comma() for _ in range(4))
        self.take("[")
        x = self._before_comma()
        y = self.integer()
        self.take("]")
        self.take("]")
        return Step(n, t, s, Affine(a, x, y))

    def _before_comma(self) -> mpz:
        number = self.integer()
        self.take(",")
        return number

    def pocklington(self, depth: int) -> Pocklington:
        """An N-1 certificate, so deep within others."""
        if depth > MOST_DEPTH:
            self.fail(f"at most {MOST_DEPTH} certificates within each other")
        self.take("[")
        n = self._before_comma()
        factors = self.items(lambda: self._factor(depth))
        self.take("]")
        return Pocklington(n, factors)

    def _factor(self, depth: int) -> Factor:
        if self.next() != "[":
            return Factor(self.integer("a factor of N-1"))
        self.take("[")
        p = self._before_comma()
        base = self._before_comma()
        certificate = self.pocklington(depth + 1)
        self.take("]")
        return Factor(p, base, certificate)

    def end(self) -> None:
        """Nothing is left."""
        if self.next():
            self.fail("the end of the text")


def quote(text: str) -> str:
    """So much of a text as an error shows."""
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
