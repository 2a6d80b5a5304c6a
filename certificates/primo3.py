"""Reads Primo's older text, format 3, in which certificates stand that were published before 2013.

It is format 4 with `N$=` for `N=$`, and in each step

Type=4               by an elliptic curve; 3 where A$= and B$= stand for J$=; 1 for N-1, 2 for N+1, 0 for the last number
S$=27284
R$=…                 the next number, (N + 1 - t) / S, (N - 1) / S or (N + 1) / S
J$=-1F               and T$=; or A$=, B$= and T$=; or B$=; or Q$=
"""

from .lines import Lines
from .steps import lucas_p
from .structure import AnyStep, Chain, Coefficients, Curve, Invariant, MinusStep, PlusStep, Step
from .text import MOST_STEPS

FORMAT = "3"
_LAST, _MINUS, _PLUS, _COEFFICIENTS, _INVARIANT = "01234"


def read_steps(lines: Lines) -> Chain:
    """What follows [Candidate]. Raises Malformed."""
    while not lines.next_is("N$=", "["):
        lines.take("N$=")
    first = n = lines.bare_number("N$=")
    steps: list[AnyStep] = []
    while True:
        lines.skip_to(f"[{len(steps) + 1}]")
        kind = lines.value("Type=")
        if kind == _LAST:
            return Chain(first, tuple(steps))
        if len(steps) == MOST_STEPS:
            lines.fail(f"at most {MOST_STEPS} steps")
        step = _read_step(lines, kind, n)
        steps.append(step)
        n = step.next


def _read_step(lines: Lines, kind: str, n: int) -> AnyStep:
    if kind not in (_MINUS, _PLUS, _COEFFICIENTS, _INVARIANT):
        lines.fail("Type= and a number from 0 to 4")
    s = lines.bare_number("S$=")
    if s < 1:
        lines.fail("S above 0")
    m = s * lines.bare_number("R$=")
    if kind in (_MINUS, _PLUS):
        if m != (n - 1 if kind == _MINUS else n + 1):
            lines.fail(f"(N {'-' if kind == _MINUS else '+'} 1) / S as R")
        if kind == _MINUS:
            return MinusStep(n, s, lines.bare_number("B$="))
        q = lines.bare_number("Q$=")
        return PlusStep(n, s, lucas_p(q), q)
    curve: Curve
    if kind == _INVARIANT:
        curve = Invariant(lines.bare_number("J$="), lines.bare_number("T$="))
    else:
        curve = Coefficients(lines.bare_number("A$="), lines.bare_number("B$="), lines.bare_number("T$="))
    return Step(n, n + 1 - m, s, curve)
