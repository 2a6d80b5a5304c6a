"""How large the value of each operator and function of an expression is, told before it is computed; small values are known."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from services.jobs import cyclotomic, primes

BITS = math.log2(10)  # of a digit

_WORD = 64  # bits: values up to here are known while reading; exponents and most operands must be
_THETA = 1.000081 / math.log(2)  # bits of n# are fewer than this times n (Schoenfeld, 1976, page 360)
_GOLDEN = math.log2((1 + math.sqrt(5)) / 2)


class Node(NamedTuple):
    """A number, or an operator or function with its operands."""

    # + - * / ^ ! # or a name of FUNCTIONS; "-" with one operand is the sign, "!" with two the multifactorial; "" is a number
    operator: str
    operands: tuple["Node", ...]
    digits: str  # of a number: decimal, or hexadecimal with 0x
    value: int | None  # where it is known and below 2^64
    bits: float  # at least log2 of the absolute value
    size: float  # the largest bits in this tree


Size = tuple[int | None, float]  # the value, if it is known, and its bits, as a Node has them


def join(operator: str, *operands: Node) -> Node:
    """The node of an operator or a function.

    Raises ArithmeticError for a division that has no integer, and ValueError for what is impossible otherwise.
    """
    measure = FUNCTIONS[operator].measure if operator in FUNCTIONS else _OPERATORS[operator, len(operands)]
    value, bits = measure(*operands)
    return Node(operator, operands, "", value, bits, max(bits, *(operand.size for operand in operands)))


def number(token: str) -> Node:
    """The node of a number in decimal or hexadecimal, perhaps with underscores."""
    digits = token.replace("_", "")
    digits = ("0x" + digits[2:].lstrip("0") if digits[:2] in ("0x", "0X") else digits.lstrip("0")) or "0"
    digits = "0" if digits == "0x" else digits
    bits = 4.0 * (len(digits) - 2) if digits.startswith("0x") else len(digits) * BITS
    value = int(digits, 0) if bits <= _WORD else None
    bits = bits if value is None else _log2(value)
    return Node("", (), digits, value, bits, bits)


def _log2(value: int) -> float:
    return math.log2(max(abs(value), 1))


def _known(value: int) -> Size:
    return (value if abs(value) < 1 << _WORD else None), _log2(value)


def _sign(operand: Node) -> Size:
    return (None if operand.value is None else -operand.value), operand.bits


def _sum(left: Node, right: Node) -> Size:
    if left.value is None or right.value is None:
        return None, max(left.bits, right.bits) + 1
    return _known(left.value + right.value)


def _difference(left: Node, right: Node) -> Size:
    if left.value is None or right.value is None:
        return None, max(left.bits, right.bits) + 1
    return _known(left.value - right.value)


def _product(left: Node, right: Node) -> Size:
    if left.value is None or right.value is None:
        return None, left.bits + right.bits
    return _known(left.value * right.value)


def _quotient(left: Node, right: Node) -> Size:
    if right.value == 0:
        raise ArithmeticError("division by zero")
    if left.value is None or right.value is None:
        return None, left.bits
    if left.value % right.value:
        raise ArithmeticError(f"{left.value}/{right.value} is no integer")
    return _known(left.value // right.value)


def _power(base: Node, exponent: Node) -> Size:
    e = exponent.value
    if e is not None and e < 0:
        raise ValueError(f"the exponent {e} is negative")
    if base.value in (0, 1) and e is not None:
        return (base.value if e else 1), 0.0
    bits = base.bits * e if e is not None else math.inf
    if base.value is not None and e is not None and bits < _WORD + 1 and e < _WORD * 64:
        return _known(base.value**e)
    return None, bits


def _natural(name: str, operand: Node) -> int | None:
    """The value, None where it is not known, since it is large. Raises ValueError for a negative one."""
    if operand.value is not None and operand.value < 0:
        raise ValueError(f"{name} of the negative number {operand.value}")
    return operand.value


def _factorial(operand: Node) -> Size:
    n = _natural("!", operand)
    if n is None:
        return None, math.inf
    return _known(math.factorial(n)) if n <= 20 else (None, math.lgamma(n + 1) / math.log(2) + 1)


def _multifactorial(operand: Node, step: Node) -> Size:
    """n(n-m)(n-2m)… down to the last one above 0, which is m^t Γ(n/m+1)/Γ(n/m-t+1) for t factors."""
    n, m = _natural("!m", operand), step.value
    if m == 0:
        raise ValueError("n!m needs m of at least 1")
    if n is None:
        return None, math.inf
    if m is None or n <= m:
        return _known(max(n, 1))
    factors, last = -(-n // m), n % m or m
    bits = factors * math.log2(m) + (math.lgamma(n / m + 1) - math.lgamma(last / m)) / math.log(2) + 1
    if bits < _WORD + 2:
        return _known(math.prod(range(n, 0, -m)))
    return None, bits


def _primorial(operand: Node) -> Size:
    n = _natural("#", operand)
    if n is None:
        return None, math.inf
    return _known(math.prod(p for p in (2, 3, 5, 7, 11, 13, 17, 19) if p <= n)) if n <= 20 else (None, _THETA * n)


def _fibonacci(operand: Node) -> Size:
    n = _natural("fib", operand)
    if n is None:
        return None, math.inf
    return _known(_recur(0, 1, n)) if n <= _WORD else (None, n * _GOLDEN)


def _lucas(operand: Node) -> Size:
    n = _natural("luc", operand)
    if n is None:
        return None, math.inf
    return _known(_recur(2, 1, n)) if n <= _WORD else (None, n * _GOLDEN + 1)


def _recur(a: int, b: int, n: int) -> int:
    """The element n of a sequence whose elements are the sum of the two before."""
    for _ in range(n):
        a, b = b, a + b
    return a


def _binomial(upper: Node, lower: Node) -> Size:
    """At most 2^(nH(k/n)) sqrt(n/(2πk(n-k))), where H is the entropy: Stirling's formula with Robbins' bounds (1955)."""
    n, k = _natural("binomial", upper), _natural("binomial", lower)
    if k is None:
        return None, math.inf
    if n is None:  # large: the value is at most n^k/k!
        return None, max(k * upper.bits - math.lgamma(k + 1) / math.log(2) + 1, 0.0)
    k = min(k, n - k)
    if k <= 0:
        return int(k == 0), 0.0
    entropy = k * math.log2(n / k) - (n - k) * math.log1p(-k / n) / math.log(2)
    bits = entropy + math.log2(n / (k * (n - k)) / math.tau) / 2
    return _known(math.comb(n, k)) if bits < _WORD + 1 else (None, bits + 1)


def _cyclotomic(index: Node, point: Node) -> Size:
    """At most 2 x^φ(n) for x from 2 on, and so for -x, where it is the value at x of a polynomial of the same degree."""
    n, x = index.value, point.value
    if n is None or not 0 < n <= cyclotomic.MOST:
        raise ValueError(f"Phi(n,x) takes n from 1 to {cyclotomic.MOST:,}")
    if x is not None and abs(x) < 2:
        raise ValueError("Phi(n,x) takes x from 2 on, or below -1")
    bits = cyclotomic.degree(n) * point.bits + 1
    return _known(cyclotomic.evaluate(n, x)) if x is not None and bits <= _WORD else (None, bits)


def _prime(index: Node) -> Size:
    n = index.value
    if n is None or not 0 < n <= primes.MOST:
        raise ValueError(f"p(n), the prime number n, takes n from 1 to {primes.MOST:,}")
    return _known(primes.first()[n - 1])


class Function(NamedTuple):
    """One that is called by its name."""

    operands: int
    call: str  # how it is written
    measure: Callable[..., Size]


_FIBONACCI, _LUCAS = Function(1, "fib(n)", _fibonacci), Function(1, "luc(n)", _lucas)

FUNCTIONS: Mapping[str, Function] = {
    "binomial": Function(2, "binomial(n,k)", _binomial),
    "fib": _FIBONACCI,
    "fibonacci": _FIBONACCI,
    "luc": _LUCAS,
    "lucas": _LUCAS,
    "p": Function(1, "p(n)", _prime),
    "Phi": Function(2, "Phi(n,x)", _cyclotomic),
}

_OPERATORS: Mapping[tuple[str, int], Callable[..., Size]] = {
    ("-", 1): _sign,
    ("+", 2): _sum,
    ("-", 2): _difference,
    ("*", 2): _product,
    ("/", 2): _quotient,
    ("^", 2): _power,
    ("!", 1): _factorial,
    ("!", 2): _multifactorial,
    ("#", 1): _primorial,
}
