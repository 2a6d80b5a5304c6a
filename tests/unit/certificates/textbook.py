"""Certificates by the textbook: written out as the formats say; curves in affine coordinates and plain integers."""

from dataclasses import astuple
from math import isqrt
from pathlib import Path

from certificates.structure import Affine, Certificate, Chain, Coefficients, Curve, Invariant, Pocklington, Step
from tests.unit import oracle

VECTORS = Path(__file__).parent / "vectors"

Point = tuple[int, int] | None  # None is O


class NotInvertible(ArithmeticError):
    """A slope's denominator has a factor in common with n: modulo that factor the sum is O."""


def primo(chain: Chain) -> str:
    """Primo's text. Each step's n is left out: a reader computes it."""
    head = f"[PRIMO - Primality Certificate]\nFormat=4\nTestCount={chain.length}\n\n[Comments]\nby the textbook\n\n[Candidate]\n"
    steps = [f"\n[{number}]\n" + "".join(primo_fields(step)) for number, step in enumerate(chain.steps, 1)]
    return head + f"N={int(chain.n):#X}\n".replace("0X", "0x") + "".join(steps)


def primo_fields(step: Step) -> list[str]:
    names = "JT" if isinstance(step.curve, Invariant) else "ABT"
    values = zip(("S", "W", *names), (step.s, step.t, *astuple(step.curve)), strict=True)
    return [f"{name}={int(value):#X}\n".replace("0X", "0x") for name, value in values]


def pari(certificate: Certificate) -> str:
    """PARI's text."""
    if isinstance(certificate, Pocklington):
        factors = [
            f"[{factor.p}, {factor.base}, {pari(factor.certificate)}]" if factor.certificate else str(factor.p)
            for factor in certificate.factors
        ]
        return f"[{certificate.n}, [{', '.join(factors)}]]"
    if not certificate.steps:
        return str(certificate.n)
    steps = [f"[{step.n}, {step.t}, {step.s}, {step.curve.a}, [{step.curve.x}, {step.curve.y}]]" for step in certificate.steps]
    return f"[{', '.join(steps)}]"


def curve_of(curve: Curve, n: int) -> tuple[int, int, Point]:
    """a, b and the point."""
    values = [int(value) for value in astuple(curve)]
    if isinstance(curve, Affine):
        a, x, y = values
        return a % n, (y**2 - x**3 - a * x) % n, (x % n, y % n)
    *coefficients, t = values
    j = coefficients[0]
    a, b = coefficients if isinstance(curve, Coefficients) else (3 * j * (1728 - j), 2 * j * (1728 - j) ** 2)
    scale = t**3 + a * t + b
    return a * scale**2 % n, b * scale**3 % n, (t * scale % n, scale**2 % n)


def add(first: Point, second: Point, a: int, n: int) -> Point:
    """The sum of two points. Raises NotInvertible."""
    if first is None or second is None:
        return first or second
    (x, y), (u, v) = first, second
    if x == u and (y + v) % n == 0:
        return None
    above, below = (3 * x * x + a, 2 * y) if first == second else (v - y, u - x)
    try:
        slope = above * pow(below, -1, n)
    except ValueError:
        raise NotInvertible from None
    w = (slope * slope - x - u) % n
    return w, (slope * (x - w) - y) % n


def times(k: int, point: Point, a: int, n: int) -> Point:
    """[k] of a point, k >= 0. Raises NotInvertible."""
    total: Point = None
    for bit in bin(k)[2:]:
        total = add(total, total, a, n)
        if bit == "1":
            total = add(total, point, a, n)
    return total


def proves(chain: Chain) -> bool:
    """Whether the chain proves its number: the same theorem, by other arithmetic."""
    n = int(chain.n)
    for step in chain.steps:
        assert isinstance(step, Step)
        if int(step.n) != n or n < 5 or n % 2 == 0 or n % 3 == 0:
            return False
        m, s = n + 1 - int(step.t), int(step.s)
        if int(step.t) ** 2 > 4 * n or s < 1 or m % s:
            return False
        q = m // s
        if not above(q, n) or not has_order(step.curve, n, s, q):
            return False
        n = q
    return n < 3 * 10**24 and oracle.is_prime(n)


def above(q: int, n: int) -> bool:
    """Whether q > (n^(1/4) + 1)^2, by roots to 200 more bits; nothing that a test asks lies closer."""
    shift = 200
    fourth = isqrt(isqrt(n << 4 * shift))
    return q << 2 * shift > (fourth + (1 << shift)) ** 2


def has_order(curve: Curve, n: int, s: int, q: int) -> bool:
    """Whether the point times s is finite and times s q is O, and the curve has no double point."""
    a, b, point = curve_of(curve, n)
    try:
        pow(4 * a**3 + 27 * b**2, -1, n)
        cofactored = times(s, point, a, n)
        return cofactored is not None and times(q, cofactored, a, n) is None
    except (ValueError, NotInvertible):
        return False
