"""What each operation is like on this side: an operation that is added to `messages.Operation` gets its entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.jobs.messages import Operation

GAP = 4  # digits of n for each further test, of average cost, that the way to the next prime takes: a guess on the costly side

WORD_DIGITS = 20  # below 2^64 a number of fewer digits is
SOON = 45  # digits of a number whose factors are all found in half a second, measured
SEARCH = 10_500_000  # µs: the budget of a search, and the start of its process


@dataclass(frozen=True, slots=True)
class Traits:
    """What this side must know of an operation to read a question and to weigh it."""

    tests: Callable[[int], int]  # how many tests it takes on a number of so many digits
    search: Callable[[int], int] = lambda digits: 0  # µs that it takes beside them
    proves: bool = True  # whether a proof may be asked for


def _walk(digits: int) -> int:
    """Tests on the way to a neighbouring prime: that of its first candidate, of the prime, and of what lies between."""
    return 2 + digits // GAP


def _search(digits: int) -> int:
    """Microseconds of a search for factors; where it needs no process of its own it is made long enough for the heavy lane."""
    if digits < WORD_DIGITS:
        return 1_000
    return 500_000 if digits <= SOON else SEARCH


OPERATIONS: Mapping[Operation, Traits] = {
    Operation.IS_PRIME: Traits(tests=lambda digits: 1),
    Operation.NEXT_PRIME: Traits(tests=_walk),
    Operation.PREVIOUS_PRIME: Traits(tests=_walk),
    Operation.FACTOR: Traits(tests=lambda digits: 2, search=_search, proves=False),  # of the number and of what is left
}
