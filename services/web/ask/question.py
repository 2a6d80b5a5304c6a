"""Reads what a client asks about: an integer, or an expression whose value is one."""

import time

import msgspec

from services.jobs import expression, sizes
from services.jobs.evaluation import NoInteger, effort, evaluate
from services.jobs.messages import Operation, Wanted
from services.web.ask import number

SLACK = 0.01  # bits that the bound of a size, a sum of rounded logarithms, may be wrong by
MOST_EFFORT = 1_000_000  # bits of all values on the way for which the event loop has the time, some milliseconds

EXPECTED = "Expected an integer such as 97 or an expression such as 2^127-1"  # the beginning of every refusal of another text
TOO_LARGE = (*number.TOO_LARGE, expression.TooLarge)


class Question(msgspec.Struct, frozen=True, gc=False):
    """What a job is about."""

    number: str  # canonical decimal, or an expression without blanks
    digits: int = 0  # of the expression's value at most; 0: it is decimal
    operation: Operation = Operation.IS_PRIME
    wanted: Wanted = Wanted.VERDICT


def read(text: str, most_digits: int, operation: Operation = Operation.IS_PRIME, wanted: Wanted = Wanted.VERDICT) -> Question:
    """An integer as `number.read` takes it, or else an expression. Raises NotAnExpression, or one of TOO_LARGE."""
    try:
        return Question(number.read(text, most_digits), 0, operation, wanted)
    except number.NotAnInteger:
        read = expression.read(text, most_digits)
        _check_digits(read.tree, most_digits)
        return Question(read.text, read.digits, operation, wanted)


def _check_digits(tree: sizes.Node, most_digits: int) -> None:
    """Where the bound of the size cannot tell whether the value has a digit too many, the value does. Raises TooManyDigits."""
    if tree.bits < most_digits * sizes.BITS - SLACK or effort(tree) > MOST_EFFORT:
        return
    try:
        digits = len(evaluate(tree).digits().lstrip("-"))
    except NoInteger:
        return  # the worker says so
    if digits > most_digits:
        raise number.TooManyDigits(digits, most_digits)


def expiry(seconds: float | None) -> int:
    """When an answer that is wanted within so many seconds is wanted no more (ms since 1970); 0 without a bound."""
    return 0 if seconds is None else int((time.time() + seconds) * 1000)
