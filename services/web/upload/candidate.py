"""Reads a number of an upload: workers are sent integers alone, as those of every release read them."""

from typing import NamedTuple

from services.jobs import expression
from services.jobs.evaluation import NoInteger, effort, evaluate
from services.web.ask import number, question

SHOWN = 40  # characters of a bad line that its error repeats
MOST_EFFORT = 16  # values of the largest size that are computed on the way to one: it is done while others wait
READING = 10  # µs that reading an expression takes, and
NODE = 4  # for each number and operator, measured
CHARACTERS = 2  # of one that is none, or too large, in a µs: how far it was read is not known
BITS = 300  # of values on the way that are computed in a µs, measured with factorials, which take longest


class Candidate(NamedTuple):
    """An integer in canonical decimal, or the code of an error with its message."""

    number: str
    code: str = ""
    message: str = ""
    cost: int = 0  # µs that it took, about


def read(text: str, most_digits: int) -> Candidate:
    """An integer, or an expression, which is computed here within a bound."""
    try:
        return Candidate(number.read(text, most_digits))
    except number.TOO_LARGE as error:
        return Candidate("", "too_large", f"Number too large: {error}", len(text) // CHARACTERS)
    except number.NotAnInteger:
        return _read_expression(text, most_digits)


def _read_expression(text: str, most_digits: int) -> Candidate:
    cost = READING + len(text) // CHARACTERS
    try:
        read = expression.read(text, most_digits)
        work = effort(read.tree)
        cost = READING + NODE * read.nodes
        if work > MOST_EFFORT * most_digits * 4:
            raise expression.TooLarge("too many large numbers on the way to its value for a line of a file")
        cost += int(work / BITS)
        digits = evaluate(read.tree).digits()
        if len(digits.lstrip("-")) > most_digits:
            raise number.TooManyDigits(len(digits.lstrip("-")), most_digits)
    except (*number.TOO_LARGE, expression.TooLarge) as error:
        return Candidate("", "too_large", f"Number too large: {error}", cost)
    except (expression.Indivisible, NoInteger) as error:
        return Candidate("", "no_integer", f"The expression has no integer value: {error}", cost)
    except expression.NotAnExpression as error:
        return Candidate("", "not_an_integer", f"{question.EXPECTED}, got {text[:SHOWN]!r}: {error}", cost)
    return Candidate(digits, cost=cost)
