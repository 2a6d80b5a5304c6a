"""Reads what a client asks about: an integer, or an expression whose value is one."""

from typing import NamedTuple

from services.jobs import expression
from services.web.ask import number

TOO_LARGE = (number.TooLarge, expression.TooLarge)


class Question(NamedTuple):
    """What a job is about."""

    number: str  # canonical decimal, or an expression without blanks
    digits: int = 0  # of the expression's value at most; 0: it is decimal


def read(text: str, most_digits: int) -> Question:
    """An integer as `number.read` takes it, or else an expression. Raises NotAnExpression, or one of TOO_LARGE."""
    try:
        return Question(number.read(text, most_digits))
    except number.NotAnInteger:
        read = expression.read(text, most_digits)
        return Question(read.text, read.digits)
