"""Evaluates expressions whose size was bounded when they were read. Pure arithmetic."""

from collections.abc import Callable, Mapping

import gmpy2

from services.jobs import cyclotomic, primes
from services.jobs.sizes import Node

# Measured with GMP 6.3: factors of a binomial coefficient that double what its bits cost, where they are multiplied one by one,
# which is where they are fewer than a part of n.
_BINOMIAL_FACTORS = 1_300
_BINOMIAL_PART = 16


class NoInteger(ArithmeticError):
    """A division in the expression leaves a remainder, or is one by zero."""


def evaluate(tree: Node) -> gmpy2.mpz:
    """The value. Raises NoInteger."""
    if not tree.operator:
        return gmpy2.mpz(tree.digits, 0) if tree.digits.startswith("0x") else gmpy2.mpz(tree.digits)
    return _OPERATORS[tree.operator, len(tree.operands)](*map(evaluate, tree.operands))


def effort(tree: Node) -> float:
    """Bits of all values on the way, which bound the time that `evaluate` takes."""
    return _effort(tree) + sum(map(effort, tree.operands)) if tree.operator else 0.0


def _effort(tree: Node) -> float:
    if tree.operator == "Phi":
        index, point = tree.operands
        return cyclotomic.effort(index.value or 1, point.bits)
    if tree.operator == "binomial":
        return tree.bits * _binomial_effort(*tree.operands)
    return tree.bits


def _binomial_effort(upper: Node, lower: Node) -> float:
    """How many times as much as its bits tell a binomial coefficient costs."""
    n, k = upper.value, lower.value or 0
    if n is not None:
        k = max(0, min(k, n - k))
        if k > n // _BINOMIAL_PART:
            return 1.0
    return 1.0 + k / _BINOMIAL_FACTORS


def _divide(a: gmpy2.mpz, b: gmpy2.mpz) -> gmpy2.mpz:
    if b == 0 or a % b:
        raise NoInteger("division by zero" if b == 0 else "a division leaves a remainder")
    return gmpy2.divexact(a, b)


def _power(base: gmpy2.mpz, exponent: gmpy2.mpz) -> gmpy2.mpz:
    if abs(base) <= 1 and exponent:  # whose exponent may have twenty digits
        return base if exponent % 2 else base * base
    return base ** int(exponent)


def _cyclotomic(n: gmpy2.mpz, x: gmpy2.mpz) -> gmpy2.mpz:
    if abs(x) < 2:
        raise NoInteger("Phi(n,x) at 0, 1 or -1")  # which is not seen while reading where x is a difference of large numbers
    return cyclotomic.evaluate(int(n), x)


def _binomial(n: gmpy2.mpz, k: gmpy2.mpz) -> gmpy2.mpz:
    if n < 0:
        raise NoInteger("binomial(n,k) of a negative n")  # as Phi(n,x)
    return gmpy2.comb(n, int(min(k, n - k))) if k <= n else gmpy2.mpz(0)


def _fibonacci(n: gmpy2.mpz) -> gmpy2.mpz:
    return gmpy2.fib(int(n))


def _lucas(n: gmpy2.mpz) -> gmpy2.mpz:
    return gmpy2.lucas(int(n))


_OPERATORS: Mapping[tuple[str, int], Callable[..., gmpy2.mpz]] = {
    ("-", 1): lambda n: -n,
    ("+", 2): lambda a, b: a + b,
    ("-", 2): lambda a, b: a - b,
    ("*", 2): lambda a, b: a * b,
    ("/", 2): _divide,
    ("^", 2): _power,
    ("!", 1): lambda n: gmpy2.fac(int(n)),
    ("!", 2): lambda n, m: gmpy2.multi_fac(int(n), int(m)) if n > m else max(n, gmpy2.mpz(1)),
    ("#", 1): lambda n: gmpy2.primorial(int(n)),
    ("binomial", 2): _binomial,
    ("fib", 1): _fibonacci,
    ("fibonacci", 1): _fibonacci,
    ("luc", 1): _lucas,
    ("lucas", 1): _lucas,
    ("p", 1): lambda n: gmpy2.mpz(primes.first()[int(n) - 1]),
    ("Phi", 2): _cyclotomic,
}
