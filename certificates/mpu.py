"""Reads and writes the text of Perl's Math::Prime::Util.

[MPU - Primality Certificate]
Version 1.0
Base 10              perhaps; other bases are not read. Lines that begin with # are comments
Proof for:
N 1000000000000000000000000000057

Type ECPP            N is prime if Q is, by a curve and a point; in ECPP3 and ECPP4 they stand as Primo has them
N …                  and A, B, M, Q, X, Y

What a type shows, in whichever order they stand: ECPP, ECPP3, ECPP4, Pocklington, BLS3 and BLS15 lead to one number, as steps do;
BLS5 and Lucas have several prime factors of N-1; Small says that N is below 2^64, which need not be said.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from .arithmetic import whole
from .ecpp import place
from .lines import Lines
from .n_minus_1 import find_bases, prove_small
from .rejection import shorten
from .small import SMALL_BITS
from .structure import (
    Affine,
    AnyStep,
    Certificate,
    Chain,
    Coefficients,
    Invariant,
    MinusStep,
    Morrison,
    PlusStep,
    Pocklington,
    ProvenFactor,
    Step,
)
from .text import MOST_DEPTH, MOST_DIGITS, MOST_STEPS, Malformed, Unwritable

TITLE = "[MPU - Primality Certificate]"
_FIELD = re.compile(r"([A-Za-z]{1,2}|[QA]\[[0-9]{1,4}\])[ \t]+(-?[0-9]+)")
_NAMES = {
    "ECPP": ("N", "A", "B", "M", "Q", "X", "Y"),
    "ECPP3": ("N", "S", "R", "A", "B", "T"),
    "ECPP4": ("N", "S", "R", "J", "T"),
    "POCKLINGTON": ("N", "Q", "A"),
    "BLS3": ("N", "Q", "A"),
    "BLS15": ("N", "Q", "LP", "LQ"),
    "SMALL": ("N",),
}
_SEVERAL = "BLS5", "LUCAS"  # with Q[1], Q[2], … and, where a base is not 2, A[0], A[1], …; in Lucas one base, A

Fields = dict[str, int]
Shown = AnyStep | Pocklington  # what one type says of its N; within the latter no factor has its certificate yet


def read_mpu(text: str) -> Certificate:
    """A certificate as Math::Prime::Util writes it. Raises Malformed."""
    lines = Lines(text, comment="#")
    lines.title(TITLE)
    while not lines.next_is("Proof for:"):
        if lines.take("Proof for:").startswith("Base") and lines.fields() != ["Base", "10"]:
            lines.fail("Base 10")
    lines.take("Proof for:")
    fields = _read_fields(lines, ("N",))
    shown: dict[int, Shown] = {}
    while lines.more:
        if not lines.next_is("Type"):
            lines.fail_next("Type")
        if len(shown) == MOST_STEPS:
            lines.fail_next(f"the end of the text: at most {MOST_STEPS} numbers are proven")
        said = _read_type(lines)
        if said is not None:
            shown.setdefault(said.n, said)  # where two are for the same number, the first counts
    return _Tree(shown).certificate(fields["N"], 0)


def _read_field(lines: Lines, fields: Fields, allowed: Callable[[str], bool], expected: str) -> None:
    """One line: a name that is allowed and has none yet, and its number."""
    match = _FIELD.fullmatch(lines.take(expected))
    name = match[1].upper() if match else ""
    if not match or not allowed(name) or name in fields:
        lines.fail(f"{expected} and a decimal number")
    if len(match[2]) > MOST_DIGITS:
        lines.fail(f"{name} and at most {MOST_DIGITS} characters")
    fields[name] = whole(match[2], 10)


def _read_fields(lines: Lines, names: Sequence[str]) -> Fields:
    """A number for each name, in whichever order."""
    fields: Fields = {}
    while len(fields) < len(names):
        _read_field(lines, fields, names.__contains__, " or ".join(name for name in names if name not in fields))
    return fields


def _read_type(lines: Lines) -> Shown | None:
    """What a type says; None where that is nothing, as of a small number."""
    kind = lines.take("Type")[len("Type") :].strip().upper()
    if kind in _SEVERAL:
        return _read_several(lines, kind)
    names = _NAMES.get(kind)
    if names is None:
        lines.fail(f"Type and one of {', '.join((*_NAMES, *_SEVERAL))}")
    fields = _read_fields(lines, names)
    return None if kind == "SMALL" else _read_step(lines, kind, fields)


def _read_step(lines: Lines, kind: str, fields: Fields) -> AnyStep:
    n = fields["N"]
    whole_number, part = {
        "ECPP": (fields.get("M", 0), "Q"),
        "ECPP3": (fields.get("S", 0) * fields.get("R", 0), "R"),
        "ECPP4": (fields.get("S", 0) * fields.get("R", 0), "R"),
        "BLS15": (n + 1, "Q"),
    }.get(kind, (n - 1, "Q"))
    q = fields[part]
    if q < 1 or whole_number < q or whole_number % q:
        lines.fail(f"before this, {part} above 0 that divides {'M' if kind == 'ECPP' else 'N + 1' if kind == 'BLS15' else 'N - 1'}")
    s = whole_number // q
    if kind == "BLS15":
        return PlusStep(n, s, fields["LP"], fields["LQ"])
    if kind in ("POCKLINGTON", "BLS3"):
        return MinusStep(n, s, fields["A"])
    t = n + 1 - whole_number
    if kind == "ECPP4":
        return Step(n, t, s, Invariant(fields["J"], fields["T"]))
    if kind == "ECPP3":
        return Step(n, t, s, Coefficients(fields["A"], fields["B"], fields["T"]))
    a, x, y = fields["A"], fields["X"], fields["Y"]
    if n < 1 or (y * y - (x * x + a) * x - fields["B"]) % n:
        lines.fail("before this, a point X, Y on the curve y^2 = x^3 + A x + B modulo N")
    return Step(n, t, s, Affine(a, x, y))


def _read_several(lines: Lines, kind: str) -> Pocklington:
    fields: Fields = {}
    count = 0  # of Q so far
    while lines.more and not lines.next_is("-", "Type"):
        following = f"Q[{count + 1}]"
        base = "A" if kind == "LUCAS" else f"A[{count}] or less"
        _read_field(lines, fields, lambda name: name in ("N", following) or _is_base(name, kind, count), f"N, {following}, {base}")  # noqa: B023  # called at once
        count += following in fields
    if lines.next_is("-"):
        lines.take("-")
    elif kind == "BLS5":
        lines.fail_next("a line of ---- after BLS5")
    for name in ("N", "A") if kind == "LUCAS" else ("N",):
        if name not in fields:
            lines.fail(f"{name} before this")
    listed = [(f"Q[{at}]", fields.get(f"A[{at}]", 2)) for at in range(1, count + 1)]
    if kind == "LUCAS":
        return Pocklington(fields["N"], tuple(ProvenFactor(fields[name], fields["A"]) for name, _ in listed))
    two = ProvenFactor(whole("2", 10), fields.get("A[0]", 2))
    return Pocklington(fields["N"], (two, *(ProvenFactor(fields[name], base) for name, base in listed)))


def _is_base(name: str, kind: str, count: int) -> bool:
    """Whether this names a base of BLS5 or LUCAS after so many factors."""
    if kind == "LUCAS":
        return name == "A"
    return name.startswith("A[") and name == f"A[{int(name[2:-1])}]" and int(name[2:-1]) <= count


class _Tree:
    """Puts together what is said of each number. What is needed twice stands there twice, so that the whole is bounded."""

    def __init__(self, shown: dict[int, Shown]) -> None:
        self._shown = shown
        self._count = 0

    def certificate(self, n: int, depth: int) -> Certificate:
        """What proves n."""
        first, steps = n, []
        said = self._take(n)
        while said is not None and not isinstance(said, Pocklington):
            steps.append(said)
            said = self._take(said.next)
        end = None if said is None else Pocklington(said.n, tuple(self._factor(factor, depth) for factor in said.factors))
        return Chain(first, tuple(steps), end) if steps or end is None else end

    def _take(self, n: int) -> Shown | None:
        said = self._shown.get(n)
        self._count += said is not None
        if self._count > MOST_STEPS:
            raise Malformed(f"the proofs of the text: expected at most {MOST_STEPS}, those that are needed twice counted twice")
        return said

    def _factor(self, factor: ProvenFactor, depth: int) -> ProvenFactor:
        if factor.p not in self._shown:
            return factor
        if depth == MOST_DEPTH:
            raise Malformed(f"the proof of {shorten(factor.p)}: expected at most {MOST_DEPTH} certificates within each other")
        proof = self.certificate(factor.p, depth + 1)
        assert not isinstance(proof, Morrison)  # which this format does not have
        return ProvenFactor(factor.p, factor.base, proof)


def write_mpu(certificate: Certificate) -> Iterator[str]:
    """Its text in pieces. Raises Unwritable."""
    yield f"{TITLE}\nVersion 1.0\n\nProof for:\nN {certificate.n}\n"
    if isinstance(certificate, Chain) and not certificate.steps and certificate.end is None and _is_small(certificate.n):
        yield f"\nType Small\nN {certificate.n}\n"
        return
    left: list[Certificate] = [certificate]
    while left:
        proof = left.pop()
        if isinstance(proof, Morrison):
            _refuse("a certificate by several factors of N+1")
        if isinstance(proof, Chain):
            for step in proof.steps:
                yield _said(step)
            left += _needed(proof.last, proof.end)
            continue
        bases = find_bases(proof.n, [*proof.factors, *([] if any(f.p == 2 for f in proof.factors) else [ProvenFactor(2)])])
        if bases is None:
            raise Unwritable(f"no base was found for a factor of {shorten(proof.n)} less one")
        factors = [factor for factor in proof.factors if factor.p != 2]
        listed = "".join(f"Q[{at}] {factor.p}\n" for at, factor in enumerate(factors, 1))
        based = "".join(f"A[{at}] {bases[p]}\n" for at, p in enumerate((2, *(f.p for f in factors))) if bases[p] != 2)
        yield f"\nType BLS5\nN {proof.n}\n{listed}{based}----\n"
        for factor in factors:
            left += _needed(factor.p, factor.certificate)


def _is_small(n: int) -> bool:
    return n.bit_length() <= SMALL_BITS


def _needed(n: int, proof: Pocklington | Chain | Morrison | None) -> list[Certificate]:
    """What has to be said of a number beside that it is small."""
    if proof is not None:
        return [proof]
    if _is_small(n):
        return []
    made = prove_small(n)
    if made is None:
        raise Unwritable(f"the format takes no prime above 2^{SMALL_BITS} without a proof, and none was found of {shorten(n)}")
    return [made]


def _refuse(what: str) -> NoReturn:
    raise Unwritable(f"the format of Math::Prime::Util has no form for {what}")


def _said(step: AnyStep) -> str:
    n, q = step.n, step.next
    kind: str
    values: tuple[int, ...]
    if isinstance(step, PlusStep):
        kind, values = "BLS15", (n, q, step.p, step.q)
    elif isinstance(step, MinusStep):
        kind, values = "Pocklington" if step.s < q else "BLS3", (n, q, step.base)
    else:
        a, b, x, y = place(step.curve, n)
        kind, values = "ECPP", (n, a, b, q * step.s, q, x, y)
    return f"\nType {kind}\n" + "".join(f"{name} {value}\n" for name, value in zip(_NAMES[kind.upper()], values, strict=True))
