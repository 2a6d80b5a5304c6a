"""Reads what a client asks about: an integer, or an expression whose value is one."""

import time

import msgspec

from services.jobs import expression
from services.jobs.messages import Operation, Wanted
from services.web.ask import number

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
        return Question(read.text, read.digits, operation, wanted)


def expiry(seconds: float | None) -> int:
    """When an answer that is wanted within so many seconds is wanted no more (ms since 1970); 0 without a bound."""
    return 0 if seconds is None else int((time.time() + seconds) * 1000)
