"""Expressions mean what number people mean by them; whatever is too large is refused before it is evaluated."""

import math
import operator
import random
from collections.abc import Callable
from typing import Any

import gmpy2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.jobs import expression
from services.jobs.evaluation import NoInteger, evaluate
from services.jobs.expression import Expression, Indivisible, NotAnExpression, TooLarge
from services.web.ask import number
from tests.unit import oracle

DIGITS = 10_000


def value(text: str) -> int:
    return int(evaluate(expression.read(text, DIGITS).tree))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2^127-1", 2**127 - 1),
        ("2**89 - 1", 2**89 - 1),
        ("10^100+267", 10**100 + 267),
        ("31#-1", 200560490130 - 1),
        ("5!+1", 121),
        ("20!", 2432902008176640000),
        ("21!", 51090942171709440000),
        ("(3!)!", 720),
        ("9!2", 945),
        ("fib(7)^2", 169),
        ("p(3)#", 30),
        ("Phi(fib(4), 10)", 111),
        ("binomial(5,2)!", 3628800),
        ("19#", 9699690),
        ("-2^2", -4),
        ("(-2)^2", 4),
        ("2^3^2", 512),
        ("2^-0", 1),
        ("(10^19-1)/9", 1111111111111111111),
        ("7-2-1", 4),
        ("24/4/2", 3),
        ("2+3*4", 14),
        ("--7", 7),
        ("0x1F", 31),
        ("0X0", 0),
        ("1_000*2", 2000),
        (" ( 2 + 3 ) \n", 5),
        ("0^0", 1),
        ("(-1)^(10^18+1)", -1),
        ("1^(10^18)", 1),
        ("2^20000/2^19990", 1024),
    ],
)
def test_an_expression_has_the_value_that_is_meant(text: str, expected: int) -> None:
    assert value(text) == expected


@pytest.mark.parametrize("digits", [1_000, 10_000])
def test_takes_values_of_as_many_digits_as_numbers_may_have(digits: int) -> None:
    assert expression.read(f"10^{digits}-1", digits).digits in (digits, digits + 1)
    with pytest.raises(TooLarge):
        expression.read(f"10^{digits + 1}", digits)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9^9^9", r"^9\^9\^9 has about 369,693,100 digits, at most 10,000 are taken$"),
        ("9^9^9^9", "about 369,693,100 digits"),
        ("9^99^9", "more digits than can be counted"),
        ("1000000!", "about 5,565,709 digits"),
        ("1000000#", "about 434,"),
        ("10^1000000-10^1000000", "about 1,000,000 digits"),
        ("(2^100)!", "more digits than can be counted"),
        ("fib(10^9)", r"^fib\(10\^9\) has about 208,987,640 digits"),
        ("luc(48000)", "about 10,032 digits"),
        ("1000000!2", "about 2,782,856 digits"),
        ("binomial(10^9,10^8)", "about 141,1"),
        ("binomial(10^30,10^30)", "more digits than can be counted"),
        ("Phi(999983,10)", "about 999,982 digits"),
        ("p(10000)#", "about 45,4"),
        ("+".join("1" * 200), "more than 200 numbers and operators"),
        ("1" + " " * 11_000, "11,001 characters came, at most 11,000 are taken"),
    ],
)
def test_refuses_what_is_too_large_and_says_how_large(text: str, words: str) -> None:
    with pytest.raises(TooLarge, match=words):
        expression.read(text, DIGITS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"column 1: expected a number or '\(', got the end"),
        ("2^", r"column 3: expected a number or '\(', got the end"),
        ("2 3", "column 3: expected an operator or the end, got '3'"),
        ("(2+3", r"column 5: expected an operator or '\)', got the end"),
        ("7.0", "column 2: expected an operator or the end, got '.'; numbers are whole, without a point"),
        ("1e", "column 2: expected an operator or the end, got 'e'"),
        ("F(5)", r"F\(n\) has two meanings: for a Fermat number write 2\^\(2\^n\)\+1, for a Fibonacci number fib\(n\)"),
        ("1+phi(3,2)", r"column 3: for the value of a cyclotomic polynomial write Phi\(n,x\)"),
        ("M (127)", "for 2\\^n-1 write M and digits, as M127"),
        ("seven", r"column 1: expected a number or '\(', got 'seven'; write numbers in digits$"),
        ("1,000", "column 2: expected an operator or the end, got ','; write 1000 or 1_000 for 1,000"),
        ("3 x 5", "got 'x'; write \\* for a product"),
        ("10\u20131", "write - for a difference"),
        ("sin(7)", r"there is no function sin, but binomial\(n,k\), fib\(n\), luc\(n\), p\(n\), Phi\(n,x\)"),
        ("fib 7", r"column 5: expected '\(', as in fib\(n\), got '7'"),
        ("binomial(7)", r"column 11: expected ',', as in binomial\(n,k\), got '\)'"),
        ("fib(7,8)", r"expected an operator or '\)', as in fib\(n\), got ','"),
        ("5!!", r"n!! has two meanings: for the product of every second number write n!2, for the factorial .* \(n!\)!"),
        ("9!2!", "n!! has two meanings"),
        ("9!0", "n!m needs m of at least 1"),
        ("fib(0-1)", "fib of the negative number -1"),
        ("Phi(0,2)", r"Phi\(n,x\) takes n from 1 to 1,000,000"),
        ("Phi(3,1)", r"Phi\(n,x\) takes x from 2 on, or below -1"),
        ("p(10001)", r"p\(n\), the prime number n, takes n from 1 to 10,000"),
        ("1.5e3", "1.5e3 has a decimal point: write a whole number before the e, as 15e2 for 1.5e3"),
        ("1\x00", "column 2: expected an operator or the end, got '\\\\x00'"),
        ("2^-1", "the exponent -1 is negative"),
        ("(0-3)!", "! of the negative number -3"),
        ("(" * 60 + "1" + ")" * 60, "at most 50 levels"),
        ("-" * 60 + "1", "at most 50 levels"),
    ],
)
def test_refuses_what_is_no_expression_and_says_where(text: str, words: str) -> None:
    with pytest.raises(NotAnExpression, match=words):
        expression.read(text, DIGITS)


@pytest.mark.parametrize(
    ("text", "words"), [("1/0", "division by zero"), ("1/3", "1/3 is no integer"), ("2+7/2", "7/2 is no integer")]
)
def test_a_division_that_has_no_integer_is_told_as_such(text: str, words: str) -> None:
    with pytest.raises(Indivisible, match=words):
        expression.read(text, DIGITS)


@pytest.mark.parametrize(("text", "digits"), [("22700#", 9_788), ("23000#", 9_910)])
def test_takes_primorials_nearly_up_to_the_most_digits(text: str, digits: int) -> None:
    assert 10 ** (digits - 1) <= value(text) < 10**digits


@pytest.mark.parametrize("text", ["(10^30+1)/10", "1/(10^30-10^30)", "Phi(6,10^30-10^30+1)", "binomial(10^30-10^31,3)"])
def test_what_has_no_integer_for_large_operands_is_found_when_it_is_evaluated(text: str) -> None:
    with pytest.raises(NoInteger):
        value(text)


class NoValue(Exception):
    """The tree has no integer value."""


# A tree is an integer >= 0, ("-", tree) for the sign, ("!" or "#", n), or (operator, left, right).
def worth(tree: Any) -> int:
    """The value by Python's own integers. Raises NoValue."""
    if isinstance(tree, int):
        return tree
    name, *operands = tree
    values = [worth(operand) for operand in operands]
    if name == "/" and (values[1] == 0 or values[0] % values[1]):
        raise NoValue
    return int(MEANING[name, len(values)](*values))


MEANING: dict[tuple[str, int], Callable[..., int]] = {
    ("-", 1): operator.neg,
    ("+", 2): operator.add,
    ("-", 2): operator.sub,
    ("*", 2): operator.mul,
    ("/", 2): operator.floordiv,
    ("^", 2): operator.pow,
    ("!", 1): lambda n: math.prod(range(1, n + 1)),
    ("#", 1): lambda n: math.prod(p for p in PRIMES if p <= n),
}
PRIMES: list[int] = oracle.primes(100)
LOOSENESS = {"+": 0, "-": 0, "*": 1, "/": 1, "sign": 2, "^": 3, "!": 4, "#": 4}


def write(tree: Any, draw: random.Random, binds: int = 0) -> str:
    """The tree as somebody might write it: parentheses where they are needed and, now and then, where they are not."""

    def put(part: Any, binds: int) -> str:
        return write(part, draw, binds)

    if isinstance(tree, int):
        return draw.choice([str(tree), hex(tree), f"{tree:_}", f"00{tree}", f" {tree} "])
    match tree:
        case ("-", operand):
            strength, text = LOOSENESS["sign"], "-" + put(operand, LOOSENESS["sign"])
        case ("!" | "#" as name, n):
            strength, text = LOOSENESS[name], str(n) + name
        case ("^", base, exponent):
            strength, text = LOOSENESS["^"], put(base, LOOSENESS["^"] + 1) + draw.choice(["^", "**", " ^ "]) + str(exponent)
        case (name, left, right):
            strength = LOOSENESS[name]
            text = put(left, strength) + draw.choice([name, f" {name} "]) + put(right, strength + 1)
        case _:
            raise AssertionError(tree)
    return f"({text})" if strength < binds or draw.random() < 0.1 else text


def join(trees: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Larger trees of these."""
    pair = st.tuples(st.sampled_from("+++---***/"), trees, trees)
    chain = st.builds(lambda a, b, c, one, two: (two, (one, a, b), c), trees, trees, trees, signs, signs)  # from left to right
    quotient = st.builds(lambda a, b: ("/", ("*", a, b), b), trees, trees)  # without a remainder, unless b is 0
    return pair | chain | quotient | st.tuples(st.just("-"), trees) | st.tuples(st.just("^"), trees, st.integers(0, 8))


signs = st.sampled_from("+-")
leaves = st.integers(0, 10**25) | st.integers(0, 20) | st.tuples(st.sampled_from("!#"), st.integers(0, 60))
trees = st.recursive(leaves, join, max_leaves=10)


@settings(max_examples=max(500, settings().max_examples))
@given(trees, st.integers(0, 2**32))
def test_agrees_with_python_and_its_bound_holds(tree: Any, seed: int) -> None:
    text = write(tree, random.Random(seed))
    try:
        expected: int | None = worth(tree)
    except NoValue:
        expected = None
    try:
        read = expression.read(text, DIGITS)
        found = evaluate(read.tree)
    except TooLarge:
        return
    except (NotAnExpression, NoInteger):
        assert expected is None, text
        return
    assert found == expected, text
    assert len(str(gmpy2.mpz(abs(found)))) <= read.digits + 1


@given(st.text() | st.text("0123456789+-*/^!#() x_"))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        read = expression.read(text, 1_000)
    except (NotAnExpression, TooLarge):
        return
    assert isinstance(read, Expression)
    try:
        found = evaluate(read.tree)
    except NoInteger:
        return
    assert gmpy2.num_digits(found) <= read.digits + 1


# Without the sign "+", which an integer may have and an expression not: what is an integer is not read as one.
@given(st.integers().map(str) | st.text("0123456789-_ \n"))
def test_a_plain_integer_means_the_same_as_without_expressions(text: str) -> None:
    try:
        plain = number.read(text, DIGITS)
    except number.NotAnInteger:
        return
    assert value(text) == int(plain)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("1e50", "(1*10^50)"),
        ("2\u00b9\u00b2\u2077\u22121", "2^127-1"),
        ("M127", "(2^127-1)"),
        ("R(19)", "((10^19-1)/9)"),
        ("M7 * R(3) + 2e1", "(2^7-1)*((10^3-1)/9)+(2*10^1)"),
    ],
)
def test_workers_get_short_forms_in_the_usual_syntax(short: str, long: str) -> None:
    assert expression.read(short, 1_000).text == long
    assert expression.read(long, 1_000).text == long
