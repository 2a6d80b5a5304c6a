"""What each operation is like on this side: an operation that is added to `messages.Operation` gets its entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.jobs.messages import Operation

GAP = 4  # digits of n for each further test, of average cost, that the way to the next prime takes: a guess on the costly side


@dataclass(frozen=True, slots=True)
class Traits:
    """What this side must know of an operation to read a question and to weigh it."""

    tests: Callable[[int], int]  # how many tests it takes on a number of so many digits


def _walk(digits: int) -> int:
    """Tests on the way to a neighbouring prime: that of its first candidate, of the prime, and of what lies between."""
    return 2 + digits // GAP


OPERATIONS: Mapping[Operation, Traits] = {
    Operation.IS_PRIME: Traits(tests=lambda digits: 1),
    Operation.NEXT_PRIME: Traits(tests=_walk),
    Operation.PREVIOUS_PRIME: Traits(tests=_walk),
}
