"""Reads and writes the text that PARI prints, a vector.

For ECPP it is [[N, t, s, a, [x, y]], …]; for N-1 [N, [p, …, [p, base, [N, […]]], …]]; for a number below 2^64 that number alone.
What PARI does not write, in the same form: for N+1 [N, [], [q, …]], and for both [N, [p, …], [q, …]].
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn, TypeVar

from .arithmetic import whole
from .ecpp import place
from .n_minus_1 import find_bases, prove_small
from .rejection import shorten
from .small import SMALL_BITS
from .steps import only_steps
from .structure import Affine, Certificate, Chain, Morrison, Pocklington, ProvenFactor, Step
from .text import MOST_DEPTH, MOST_DIGITS, MOST_STEPS, SHOWN, Malformed, Unwritable, quote

T = TypeVar("T")

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
        certificate = vector.factored()
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

    def integer(self, expected: str = "a number") -> int:
        """A decimal number."""
        match = _DECIMAL.match(self._text, self._at, self._at + MOST_DIGITS + 1)
        if not match:
            self.fail(expected)
        if match.end() - self._at > MOST_DIGITS:
            self.fail(f"a number of at most {MOST_DIGITS} characters")
        self._at = self._skip(match.end())
        return whole(match[0], 10)

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

    def _before_comma(self) -> int:
        number = self.integer()
        self.take(",")
        return number

    def factored(self) -> Pocklington | Morrison:
        """A certificate by factors of N-1, of N+1 or of both."""
        self.take("[")
        n = self._before_comma()
        minus = self._factors(0)
        if self.next() != ",":
            if not minus:
                self.fail(", and factors of N+1")
            self.take("]")
            return Pocklington(n, minus)
        self.take(",")
        if any(factor.certificate for factor in minus):
            self.fail("] after factors of N-1 with certificates of their own")
        plus = self.items(lambda: self.integer("a factor of N+1"))
        self.take("]")
        return Morrison(n, tuple(factor.p for factor in minus), plus)

    def _factors(self, depth: int) -> tuple[ProvenFactor, ...]:
        """Those of N-1; none where the vector is empty."""
        if self.then() == "]":
            self.take("[")
            self.take("]")
            return ()
        return self.items(lambda: self._factor(depth))

    def pocklington(self, depth: int) -> Pocklington:
        """An N-1 certificate, so deep within others."""
        if depth > MOST_DEPTH:
            self.fail(f"at most {MOST_DEPTH} certificates within each other")
        self.take("[")
        n = self._before_comma()
        factors = self.items(lambda: self._factor(depth))
        self.take("]")
        return Pocklington(n, factors)

    def _factor(self, depth: int) -> ProvenFactor:
        if self.next() != "[":
            return ProvenFactor(self.integer("a factor of N-1"))
        self.take("[")
        p = self._before_comma()
        base = self._before_comma()
        certificate = self.pocklington(depth + 1)
        self.take("]")
        return ProvenFactor(p, base, certificate)

    def end(self) -> None:
        """Nothing is left."""
        if self.next():
            self.fail("the end of the text")


def write_pari(certificate: Certificate) -> Iterator[str]:
    """Its text in pieces. Raises Unwritable."""
    if isinstance(certificate, Pocklington):
        yield _pocklington(certificate)
    elif isinstance(certificate, Morrison):
        yield f"[{certificate.n}, [{_listed(certificate.minus)}], [{_listed(certificate.plus)}]]"
    elif certificate.steps:
        chain = only_steps(certificate, "PARI's")
        for number, step in enumerate(chain.steps):
            yield ("[" if number == 0 else ", ") + _step(step)
        yield "]"
    elif certificate.n.bit_length() <= SMALL_BITS:
        yield f"{certificate.n}"
    else:
        yield _pocklington(_proven(certificate.n))
    yield "\n"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number}" for number in numbers)


def _step(step: object) -> str:
    if not isinstance(step, Step):
        raise Unwritable("PARI's format has no form for a step by a factor of N-1 or N+1 in a chain")
    a, _, x, y = place(step.curve, step.n)
    return f"[{step.n}, {step.t}, {step.s}, {a}, [{x}, {y}]]"


def _pocklington(certificate: Pocklington) -> str:
    proofs = {factor.p: _proof(factor) for factor in certificate.factors}
    large = [factor for factor in certificate.factors if proofs[factor.p] is not None]
    bases = find_bases(certificate.n, large)
    if bases is None:
        raise Unwritable(f"no base was found for a factor of {shorten(certificate.n)} less one")
    factors = [f"{p}" if proof is None else f"[{p}, {bases[p]}, {_pocklington(proof)}]" for p, proof in proofs.items()]
    return f"[{certificate.n}, [{', '.join(factors)}]]"


def _proof(factor: ProvenFactor) -> Pocklington | None:
    """The proof of a factor; None of one that PARI takes for prime without a proof."""
    if isinstance(factor.certificate, Pocklington):
        return factor.certificate
    if factor.certificate is not None and (factor.certificate.steps or factor.certificate.end):
        raise Unwritable("PARI's format proves factors of N-1 by N-1 alone, and this certificate has one by other steps")
    return None if factor.p.bit_length() <= SMALL_BITS else _proven(factor.p)


def _proven(p: int) -> Pocklington:
    made = prove_small(p)
    if made is None:
        raise Unwritable(f"PARI takes no prime above 2^{SMALL_BITS} without a proof, and none was found of {shorten(p)}")
    return made
