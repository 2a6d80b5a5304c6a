"""Evaluates expressions whose size was bounded when they were read. Pure arithmetic."""

from collections.abc import Callable

import gmpy2

from services.jobs.expression import Node


class NoInteger(ArithmeticError):
    """A division in the expression leaves a remainder, or is one by zero."""


def evaluate(tree: Node) -> gmpy2.mpz:
    """The value. Raises NoInteger."""
    if not tree.operator:
        return gmpy2.mpz(tree.digits, 0) if tree.digits.startswith("0x") else gmpy2.mpz(tree.digits)
    values = [evaluate(operand) for operand in tree.operands]
    return -values[0] if tree.operator == "-" and len(values) == 1 else _OPERATORS[tree.operator](*values)


def effort(tree: Node) -> float:
    """Bits of all values on the way, which bound the time that `evaluate` takes."""
    return tree.bits + sum(map(effort, tree.operands)) if tree.operator else 0.0


def _divide(a: gmpy2.mpz, b: gmpy2.mpz) -> gmpy2.mpz:
    if b == 0 or a % b:
        raise NoInteger("division by zero" if b == 0 else "a division leaves a remainder")
    return gmpy2.divexact(a, b)


def _power(base: gmpy2.mpz, exponent: gmpy2.mpz) -> gmpy2.mpz:
    if abs(base) <= 1 and exponent:  # whose exponent may have twenty digits
        return base if exponent % 2 else base * base
    return base ** int(exponent)


_OPERATORS: dict[str, Callable[..., gmpy2.mpz]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "^": _power,
    "!": lambda n: gmpy2.fac(int(n)),
    "#": lambda n: gmpy2.primorial(int(n)),
}
