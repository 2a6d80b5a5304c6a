"""Reads and writes Primo's text, format 4: what Primo 4 writes; PARI and CM write `0x` in place of its `$`.

[PRIMO - Primality Certificate]
Format=4
TestCount=3          steps that follow; other names may stand beside these two
                     empty lines may stand anywhere
[Comments]           any sections, up to the next
[Candidate]
N=$1000000000000000D
[1]                  by an elliptic curve: (N + 1 - W) / S is the next number
S=$27284
W=-$1F618CFA6
J=…                  or, where the j-invariant is 0 or 1728, A=… and B=…
T=…
[2]                  by a factor of N-1: (N - 1) / S is the next number, B a base
S=$5B4
B=$2
[3]                  by a factor of N+1: (N + 1) / S is the next number, Q of a Lucas sequence
S=$12DE
Q=$6
[Signature]          perhaps, and any lines to the end
"""

import re
from collections.abc import Iterator

from . import primo3
from .lines import Lines
from .steps import curve_fields, lucas_p, only_steps
from .structure import AnyStep, Certificate, Chain, Coefficients, Curve, Invariant, MinusStep, PlusStep, Step
from .text import MOST_STEPS, Unwritable

TITLE = "[PRIMO - Primality Certificate]"
SIGNATURE = "[Signature]"
_COUNT = re.compile(r"[0-9]{1,9}")


def read_primo(text: str) -> Chain:
    """A certificate in Primo's format 4 or 3. Raises Malformed."""
    lines = Lines(text)
    lines.title(TITLE)
    format, count = _read_head(lines)
    lines.skip_to("[Candidate]")
    if format == primo3.FORMAT:
        return primo3.read_steps(lines)
    first = n = _read_candidate(lines)
    steps: list[AnyStep] = []
    while len(steps) < count:
        step = _read_step(lines, len(steps) + 1, n)
        steps.append(step)
        n = step.next
    if not lines.next_is(SIGNATURE):
        lines.end(f"the end of the text after {count} steps (TestCount)")
    return Chain(first, tuple(steps))


def _read_head(lines: Lines) -> tuple[str, int]:
    """The format and the number of steps."""
    format = count = None
    while lines.more and not lines.next_is("["):
        if lines.next_is("Format=") and format is None:
            format = lines.value("Format=")
            if format not in ("4", primo3.FORMAT):
                lines.fail(f"Format=4 or Format={primo3.FORMAT}")
        elif lines.next_is("TestCount=") and count is None:
            count = lines.value("TestCount=")
            if not _COUNT.fullmatch(count) or int(count) > MOST_STEPS:
                lines.fail(f"TestCount= and a number up to {MOST_STEPS}")
        elif lines.next_is("Format=", "TestCount="):
            lines.fail_next("this once")
        else:
            lines.take("[Candidate]")
    if format is None or count is None:
        lines.fail_next("Format=" if format is None else "TestCount=")
    return format, int(count)


def _read_candidate(lines: Lines) -> int:
    """The number; what else stands in its section is passed over."""
    n = None
    while lines.more and not lines.next_is("["):
        if not lines.next_is("N="):
            lines.take("N=")
        elif n is None:
            n = lines.number("N=")
        else:
            lines.fail_next("N= once")
    if n is None:
        lines.fail_next("N=")
    return n


def _read_step(lines: Lines, number: int, n: int) -> AnyStep:
    lines.title(f"[{number}]")
    s = lines.number("S=")
    if s < 1:
        lines.fail("S above 0")
    if lines.next_is("B="):
        return MinusStep(n, s, lines.number("B="))
    if lines.next_is("Q="):
        q = lines.number("Q=")
        return PlusStep(n, s, lucas_p(q), q)
    t = lines.number("W=", "W=, B= or Q=")
    curve: Curve
    if lines.next_is("J="):
        curve = Invariant(lines.number("J="), lines.number("T="))
    else:
        curve = Coefficients(lines.number("A=", "J= or A="), lines.number("B="), lines.number("T="))
    return Step(n, t, s, curve)


def write_primo(certificate: Certificate) -> Iterator[str]:
    """Its text in pieces. Raises Unwritable."""
    chain = only_steps(certificate, "Primo's")
    yield f"{TITLE}\nFormat=4\nTestCount={len(chain.steps)}\n\n[Comments]\n\n[Candidate]\nN={_written(chain.n)}\n"
    for number, step in enumerate(chain.steps, 1):
        yield f"\n[{number}]\n" + "".join(f"{name}={_written(value)}\n" for name, value in _fields(step))


def _fields(step: AnyStep) -> list[tuple[str, int]]:
    if isinstance(step, MinusStep):
        return [("S", step.s), ("B", step.base)]
    if isinstance(step, Step):
        return [("S", step.s), ("W", step.t), *curve_fields(step)]
    if step.p != lucas_p(step.q):
        raise Unwritable("Primo's format tells a Lucas sequence by its Q alone, and has another P for this Q")
    return [("S", step.s), ("Q", step.q)]


def _written(n: int) -> str:
    return f"{'-' * (n < 0)}${abs(n):X}" if n else "0"


def write_coq(certificate: Certificate) -> Iterator[str]:
    """The same text for coqprime's `o2v`, which makes a Coq proof of it and knows no step by N+1. Raises Unwritable."""
    if any(isinstance(step, PlusStep) for step in only_steps(certificate, "Coq's").steps):
        raise Unwritable("Coq's format has no form for a step by a factor of N+1")
    return write_primo(certificate)
