"""Reads what the server reads as a number, an integer or an expression such as 2^127-1, so that whoever checks an answer need not
ask the server what the question meant."""

import re
import unicodedata
from collections.abc import Callable

from .functions import FUNCTIONS, MOST_BITS, NotANumber, bounded, factorial, multifactorial, primorial

NESTING = 50  # levels, as on the server
CHUNK = 4_000  # digits that int() reads at once: it stops at 4,300

# As on the server: around an integer white space of any kind but the separators U+001C to U+001F, in an expression ASCII's.
_INTEGER = re.compile(r"[^\S\x1c-\x1f]*([+-]?)(\d+(?:_\d+)*)[^\S\x1c-\x1f]*")
_SIGNS = str.maketrans("\u2212\u00d7\u22c5\u00b7", "-***")  # as they are typeset: the minus sign, the cross and two dots
# Shorter ways to write what the syntax has. A superscript ends where its line goes on, so that 2\u00b2! and 2\u00b23 are refused.
_SUPERSCRIPT = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
_RAISED = re.compile(rf"(?<![{_SUPERSCRIPT}])[{_SUPERSCRIPT}]+(?![ \t\r\n]*(?:[0-9A-Za-z_!#^{_SUPERSCRIPT}]|\*\*))")
_DIGIT = re.compile(r"(?![0-9])\d")  # of another script, as integers may have them
_LOWERED = str.maketrans(_SUPERSCRIPT, "0123456789")
_SHORT = (
    (re.compile(r"(?<![0-9A-Za-z_.])([0-9]+(?:_[0-9]+)*)[eE]([0-9]+)(?![0-9A-Za-z_.])"), r"(\1*10^\2)"),
    (re.compile(r"(?<![0-9A-Za-z_.])M([0-9]+)(?![0-9A-Za-z_.])"), r"(2^\1-1)"),
    (re.compile(r"(?<![0-9A-Za-z_.])R\(([0-9]+)\)"), r"((10^\1-1)/9)"),
)
_TOKEN = re.compile(
    r"[ \t\r\n]*(?:(0[xX][0-9a-fA-F]+|[0-9]+(?:_[0-9]+)*)|(\*\*|![0-9]+(?:_[0-9]+)*|[-+*/^!#(),])|(\Z)|([A-Za-z]+|.))", re.DOTALL
)


def evaluate(text: str) -> int:
    """The value. Raises NotANumber."""
    integer = _INTEGER.fullmatch(text)
    if integer is None:
        return _Parser(text).read()
    value = decimal("".join(str(unicodedata.decimal(digit)) for digit in integer[2].replace("_", "")))
    return -value if integer[1] == "-" else value


def decimal(digits: str) -> int:
    """The integer of so many ASCII digits, without int()'s limit."""
    if len(digits) > MOST_BITS // 3:
        raise NotANumber(f"expected at most {MOST_BITS:,} bits, got {len(digits):,} digits")
    value = 0
    for start in range(0, len(digits), CHUNK):
        chunk = digits[start : start + CHUNK]
        value = value * 10 ** len(chunk) + int(chunk)
    return value


def _spell(text: str) -> str:
    """The same without shorter ways to write what the syntax has: 1e50 as (1*10^50), M127 as (2^127-1), R(19) as ((10^19-1)/9)."""
    text = _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    text = _RAISED.sub(lambda run: "^" + run[0].translate(_LOWERED), text.translate(_SIGNS))
    for short, long in _SHORT:
        text = short.sub(long, text)
    return text


class _Parser:
    """Recursive descent; every method leaves the token after what it read."""

    def __init__(self, text: str) -> None:
        self._tokens = [match[match.lastindex or 0] for match in _TOKEN.finditer(_spell(text))]  # the last ones are empty: the end
        self._next = 0

    def read(self) -> int:
        if self._ahead == "+":  # before all, as an integer may have one
            self._take()
            if self._ahead in ("+", "-"):
                raise NotANumber(f"expected a number, got {self._ahead!r}")
        value = self._sum(0)
        if self._ahead:
            raise NotANumber(f"expected an operator or the end, got {self._ahead!r}")
        return value

    @property
    def _ahead(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._ahead
        self._next += 1
        return token

    def _sum(self, depth: int) -> int:
        return self._chain(depth, self._product, {"+": int.__add__, "-": int.__sub__})

    def _product(self, depth: int) -> int:
        return self._chain(depth, self._signed, {"*": int.__mul__, "/": _divide})

    def _chain(self, depth: int, operand: Callable[[int], int], operators: dict[str, Callable[[int, int], int]]) -> int:
        value = operand(depth)
        while self._ahead in operators:
            operator = operators[self._take()]
            value = bounded(operator(value, operand(depth)))
        return value

    def _signed(self, depth: int) -> int:
        if depth > NESTING:
            raise NotANumber(f"expected at most {NESTING} levels")
        if self._ahead == "-":
            self._take()
            return -self._signed(depth + 1)
        base = self._postfixed(depth)
        if self._ahead in ("^", "**"):
            self._take()
            return _power(base, self._signed(depth + 1))
        return base

    def _postfixed(self, depth: int) -> int:
        value = self._atom(depth)
        multiplied = False  # by a factorial or the like, which another one after it has two meanings with
        while self._ahead[:1] in ("!", "#") and self._ahead:
            token = self._take()
            if token[0] == "!" and multiplied:
                raise NotANumber("expected n!2 or (n!)!, got n!!")
            multiplied = token[0] == "!"
            if step := token[1:]:
                value = multifactorial(value, decimal(step.replace("_", "")))
            else:
                value = factorial(value) if multiplied else primorial(value)
        return value

    def _atom(self, depth: int) -> int:
        token = self._take()
        if token == "(":  # noqa: S105 - no password
            value = self._sum(depth + 1)
            if self._take() != ")":
                raise NotANumber("expected a closing parenthesis")
            return value
        if token in FUNCTIONS:
            return self._call(token, depth)
        if not token[:1].isdigit() or not token.isascii():
            raise NotANumber(f"expected a number, got {token or 'the end'!r}")
        digits = token.replace("_", "")
        return bounded(int(digits, 16) if digits[:2] in ("0x", "0X") else decimal(digits))

    def _call(self, name: str, depth: int) -> int:
        count, compute = FUNCTIONS[name]
        operands = []
        for opening in "(" + "," * (count - 1):
            if self._take() != opening:
                raise NotANumber(f"expected {opening!r} and an operand of {name}")
            operands.append(self._sum(depth + 1))
        if self._take() != ")":
            raise NotANumber("expected a closing parenthesis")
        return compute(*operands)


def _divide(left: int, right: int) -> int:
    if right == 0 or left % right:
        raise NotANumber("a division by zero, or one that leaves a remainder")
    return left // right


def _power(base: int, exponent: int) -> int:
    if exponent < 0:
        raise NotANumber(f"expected an exponent from 0 on, got {exponent}")
    if abs(base) > 1 and (base.bit_length() - 1) * exponent > MOST_BITS:
        raise NotANumber(f"expected at most {MOST_BITS:,} bits")
    return bounded(base ** (exponent if abs(base) > 1 else exponent % 2 or min(exponent, 2)))
