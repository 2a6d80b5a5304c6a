"""Reads expressions such as `2^127-1` and bounds the size of their values before anything is evaluated."""

import math
import re
import unicodedata
from typing import NamedTuple

from services.jobs import sizes
from services.jobs.sizes import BITS, FUNCTIONS, Node

LENGTH = 1_000  # characters of an expression beyond the digits that a number may have
NODES = 200  # numbers and operators
NESTING = 50  # levels of parentheses, signs and exponents
SHOWN = 40  # characters of what a client sent that an error repeats

_LARGEST_SHOWN = 1e15  # digits: above, nobody wants to know how many

_SIGNS = str.maketrans("\u2212\u00d7\u22c5\u00b7", "-***")  # as they are typeset: the minus sign, the cross and two dots

# Shorter ways to write what the syntax has. A superscript ends where its line goes on, so that 2\u00b2! and 2\u00b23 are refused.
_SUPERSCRIPT = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
_RAISED = re.compile(rf"(?<![{_SUPERSCRIPT}])[{_SUPERSCRIPT}]+(?![ \t\r\n]*(?:[0-9A-Za-z_!#^{_SUPERSCRIPT}]|\*\*))")
_DIGIT = re.compile(r"(?![0-9])\d")  # of another script, as integers may have them
_LOWERED = str.maketrans(_SUPERSCRIPT, "0123456789")
_SHORT = (
    (re.compile(r"(?<![0-9A-Za-z_.])([0-9]++(?:_[0-9]++)*+)[eE]([0-9]+)(?![0-9A-Za-z_.])"), r"(\1*10^\2)"),
    (re.compile(r"(?<![0-9A-Za-z_.])M([0-9]+)(?![0-9A-Za-z_.])"), r"(2^\1-1)"),
    (re.compile(r"(?<![0-9A-Za-z_.])R\(([0-9]+)\)"), r"((10^\1-1)/9)"),
)
_FRACTION = re.compile(r"(?<![0-9A-Za-z_.])[0-9]{1,20}\.[0-9]{1,20}[eE][0-9]{1,20}(?![0-9A-Za-z_.])")

# Possessive: a group that is repeated and may be given back again takes a hundred bytes each time.
_TOKEN = re.compile(
    r"[ \t\r\n]*(?:(0[xX][0-9a-fA-F]+)|([0-9]++(?:_[0-9]++)*+)|(\*\*|![0-9]++(?:_[0-9]++)*+|[-+*/^!#(),])|([A-Za-z]+)|($)|(.))",
    re.DOTALL,
)

_CALLS = ", ".join(dict.fromkeys(function.call for function in FUNCTIONS.values()))
_INSTEAD = {  # of names that mean something else to somebody
    "C": "for a binomial coefficient write binomial(n,k)",
    "F": "F(n) has two meanings: for a Fermat number write 2^(2^n)+1, for a Fibonacci number fib(n)",
    "L": "for a Lucas number write luc(n)",
    "M": "for 2^n-1 write M and digits, as M127",
    "R": "for (10^n-1)/9 write R and digits in parentheses, as R(19)",
    "phi": "for the value of a cyclotomic polynomial write Phi(n,x)",
}
_ADVICE = {  # for what stands where none of it may
    ",": "write 1000 or 1_000 for 1,000",
    ".": "numbers are whole, without a point",
    "x": "write * for a product",
    "\u2013": "write - for a difference",
}
_TWICE = "n!! has two meanings: for the product of every second number write n!2, for the factorial of a factorial (n!)!"


class NotAnExpression(ValueError):
    """The text is no expression, or has no integer value; says where, what was expected and what came."""


class Indivisible(NotAnExpression):
    """A division is by zero or leaves a remainder, which is seen before anything is evaluated."""


class TooLarge(ValueError):
    """The value, or one on the way to it, would have too many digits; or the text is too long."""


class Expression(NamedTuple):
    """One that may be evaluated."""

    text: str  # in ASCII, without shorter ways to write what the syntax has, blanks, and a plus sign before all
    digits: int  # of the value, and of all on the way to it, at most
    tree: Node
    nodes: int  # numbers and operators


def read(text: str, most_digits: int) -> Expression:
    """The expression in `text`. Takes time linear in its length, for some 10,000 characters well under a millisecond.

    Numbers in decimal and hexadecimal (0x1f), + - * /, ^ or ** (right-associative, before a sign: -2^2 is -4), n!, n!m
    (the product of n, n-m, n-2m, … above 0) and n# (the product of all primes up to n), functions (`sizes.FUNCTIONS`),
    parentheses, blanks. Raises NotAnExpression or TooLarge.
    """
    if len(text) > most_digits + LENGTH:
        raise TooLarge(f"{len(text):,} characters came, at most {most_digits + LENGTH:,} are taken")
    text = _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    if fraction := _FRACTION.search(text):
        raise NotAnExpression(f"{fraction[0]} has a decimal point: write a whole number before the e, as 15e2 for 1.5e3")
    text = _spell(text)
    if len(text) > most_digits + LENGTH:
        raise TooLarge(f"{len(text):,} characters are needed, at most {most_digits + LENGTH:,} are taken")
    parser = _Parser(text, most_digits)
    tree = parser.read_whole()
    if parser.ahead:
        raise parser.unexpected("an operator or the end")
    return Expression("".join(text.split()).removeprefix("+"), max(1, math.ceil(tree.size / BITS)), tree, parser.nodes)


def _spell(text: str) -> str:
    """The same without shorter ways to write what the syntax has: 1e50 as (1*10^50), M127 as (2^127-1), R(19) as ((10^19-1)/9)."""
    text = _RAISED.sub(lambda run: "^" + run[0].translate(_LOWERED), text.translate(_SIGNS))
    for short, long in _SHORT:
        text = short.sub(long, text)
    return text


class _Parser:
    """Recursive descent; every method leaves the token after what it read."""

    def __init__(self, text: str, most_digits: int) -> None:
        self._text = text
        self._most_digits = most_digits
        self.nodes = 0
        self._end = 0
        self.ahead = ""  # "" at the end
        self._advance()

    def _advance(self) -> None:
        match = _TOKEN.match(self._text, self._end)
        assert match is not None  # some alternative always matches
        self._start, self._end = match.start(match.lastindex or 0), match.end()
        self.ahead = match.group(match.lastindex or 0)

    def unexpected(self, expected: str) -> NotAnExpression:
        """The error at this token."""
        came = repr(self.ahead[:SHOWN]) if self.ahead else "the end"
        advice = _ADVICE.get(self.ahead) or ("write numbers in digits" if self.ahead.isalpha() and self.ahead.isascii() else "")
        return NotAnExpression(f"column {self._start + 1}: expected {expected}, got {came}{advice and '; '}{advice}")

    def _impossible(self, what: str) -> NotAnExpression:
        return NotAnExpression(f"before column {self._start + 1}: {what}")

    def read_whole(self) -> Node:
        """A sum, with a plus sign before it or not, as an integer may have one."""
        if self.ahead == "+":
            self._take()
            if self.ahead in ("+", "-"):
                raise self.unexpected("a number or '('")
        return self.read_sum(0)

    def read_sum(self, depth: int) -> Node:
        """Terms with + and - between them."""
        left = self._read_product(depth)
        while self.ahead in ("+", "-"):
            operator = self._take()
            left = self._join(operator, left, self._read_product(depth))
        return left

    def _read_product(self, depth: int) -> Node:
        left = self._read_signed(depth)
        while self.ahead in ("*", "/"):
            operator = self._take()
            left = self._join(operator, left, self._read_signed(depth))
        return left

    def _read_signed(self, depth: int) -> Node:
        if depth > NESTING:
            raise self._impossible(f"at most {NESTING} levels are taken")
        if self.ahead == "-":
            self._take()
            return self._join("-", self._read_signed(depth + 1))
        return self._read_power(depth)

    def _read_power(self, depth: int) -> Node:
        base = self._read_postfixed(depth)
        if self.ahead in ("^", "**"):
            self._take()
            return self._join("^", base, self._read_signed(depth + 1))
        return base

    def _read_postfixed(self, depth: int) -> Node:
        node = self._read_atom(depth)
        multiplied = False  # by a factorial or the like
        while self.ahead[:1] in ("!", "#") and self.ahead:
            if self.ahead[0] == "!" and multiplied:
                raise self._impossible(_TWICE)
            multiplied = self.ahead[0] == "!"
            operator, step = self.ahead[0], self.ahead[1:]
            self._take()
            node = self._join(operator, node, *([self._keep(sizes.number(step))] if step else ()))
        return node

    def _read_atom(self, depth: int) -> Node:
        if self.ahead == "(":
            self._take()
            node = self.read_sum(depth + 1)
            if self.ahead != ")":
                raise self.unexpected("an operator or ')'")
            self._take()
            return node
        if self.ahead in FUNCTIONS:
            return self._read_call(depth)
        if not self.ahead[:1].isdigit() or not self.ahead.isascii():
            raise self._instead() or self.unexpected("a number or '('")
        return self._keep(sizes.number(self._take()))

    def _read_call(self, depth: int) -> Node:
        name = self._take()
        function = FUNCTIONS[name]
        operands = []
        for opening in "(" + "," * (function.operands - 1):
            if self.ahead != opening:
                raise self.unexpected(f"{opening!r}, as in {function.call}")
            self._take()
            operands.append(self.read_sum(depth + 1))
        if self.ahead != ")":
            raise self.unexpected(f"an operator or ')', as in {function.call}")
        self._take()
        return self._join(name, *operands)

    def _instead(self) -> NotAnExpression | None:
        """The error where a function is called that there is not."""
        name, start = self.ahead, self._start
        if not (name.isascii() and name.isalpha()) or not self._text[self._end :].lstrip(" \t\r\n").startswith("("):
            return None
        what = _INSTEAD.get(name, f"there is no function {name[:SHOWN]}, but {_CALLS}")
        return NotAnExpression(f"column {start + 1}: {what}")

    def _take(self) -> str:
        token = self.ahead
        self._advance()
        return token

    def _join(self, operator: str, *operands: Node) -> Node:
        try:
            node = sizes.join(operator, *operands)
        except ArithmeticError as error:
            raise Indivisible(str(self._impossible(str(error)))) from None
        except ValueError as error:
            raise self._impossible(str(error)) from None
        return self._keep(node)

    def _keep(self, node: Node) -> Node:
        """A node within bounds."""
        self.nodes += 1
        if self.nodes > NODES:
            raise TooLarge(f"more than {NODES} numbers and operators came")
        if node.bits > self._most_digits * BITS + 1:
            raise TooLarge(f"{self._shorten()} has {_tell_digits(node.bits)}, at most {self._most_digits:,} are taken")
        return node

    def _shorten(self) -> str:
        read = self._text[: self._start].strip()
        return read if len(read) <= SHOWN else f"{read[:SHOWN]}…"


def _tell_digits(bits: float) -> str:
    digits = bits / BITS
    return f"about {digits:,.0f} digits" if digits < _LARGEST_SHOWN else "more digits than can be counted"
