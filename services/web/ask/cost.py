"""What a job will cost, estimated before it is queued: it decides the lane and how many jobs share a stream entry."""

from functools import lru_cache

from services.jobs.messages import Operation, Wanted
from services.jobs.names import Lane
from services.web.ask.operations import OPERATIONS

BASE = 2  # µs: a 64-bit test with its share of decoding and encoding
HUNDRED_DIGITS = 400  # µs: gmpy2.is_prime of a 100-digit prime, measured
EXPONENT = 2.5  # between what 100 to 300 digits (1.8) and 1,000 to 3,000 digits (3.1) showed; a guess in the middle

READING = 20  # µs: to read an expression of two or three numbers and compute its value, and
SIGN = 2  # for each character that is no digit; measured, by a factor of two

START = 200_000  # µs: a proof's process
THOUSAND_PROVEN = 89_000_000  # µs: of 1,000 digits, measured
PROVING = 4  # exponent: 300 digits took 1.3 s, 500 took 5.5 s

QUICKEST_HEAVY = 500  # µs: a job that costs more, the worker's event loop would notice

_NO_DIGITS = str.maketrans("", "", "0123456789")


def estimate(number: str, operation: Operation = Operation.IS_PRIME, digits: int = 0) -> int:
    """Microseconds on one core for this operation on a number (canonical decimal), were it prime: the costly case.

    `digits`: those of an expression's value; 0: it is none.
    """
    return weigh(size(number, digits), operation)[0]


def size(number: str, digits: int) -> int:
    """How many digits are tested: those of a decimal number, or of an expression's value."""
    return digits or (1 if number[0] == "-" else len(number))  # below 2 there is nothing to test


@lru_cache(maxsize=10_000)  # a power is costly beside all else that a quick job costs here
def weigh(digits: int, operation: Operation, wanted: Wanted = Wanted.VERDICT) -> tuple[int, Lane]:
    """The estimate for a number of so many digits, and its lane."""
    cost = _estimate(digits, operation)
    return cost, lane(cost, wanted)


def _estimate(digits: int, operation: Operation) -> int:
    test = BASE if digits < 20 else BASE + int(HUNDRED_DIGITS * (digits / 100) ** EXPONENT)
    traits = OPERATIONS[operation]
    return test * traits.tests(digits) + traits.search(digits)


def reading(expression: str) -> int:
    """Microseconds that a worker takes to read an expression and to compute its value, beside what is asked of that."""
    return READING + SIGN * len(expression.translate(_NO_DIGITS))


def proof(digits: int) -> int:
    """Microseconds of a proof of a prime of so many digits."""
    return START + int(THOUSAND_PROVEN * (digits / 1_000) ** PROVING)


def lane(cost: int, wanted: Wanted = Wanted.VERDICT) -> Lane:
    """The lane for a job of this cost in microseconds; what may have to be proven is one that can be moved on by itself."""
    return Lane.QUICK if cost < QUICKEST_HEAVY and wanted is Wanted.VERDICT else Lane.HEAVY
