"""Which parts of one proof are given out, which are needed no longer, and which were lost; it does no I/O and asks no clock."""

import math
from collections.abc import Collection, Iterator
from typing import NamedTuple

from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.ecpp.parts import Outcome, encode_part

# Parts that are given out at once, for each child that is at work on this proof: so many that none waits for the next one, and not
# more, since those of a step are in vain once it is found, and those that were given out first are not those that are wanted most.
EACH = 1.5
FIRST = 8  # while nobody has answered yet
MOST = 64

LATELY = 10.0  # seconds in which a child that is at work answers
# Seconds after which a part that was taken is lost, the first time; twice as many each time after that. Most take a quarter of one,
# the last one of a proof some seconds. What is not lost is computed twice then, and whichever is told first counts.
PATIENCE = 5.0
LONGEST = 80.0  # seconds, at most: a child that takes 60 is killed


class Move(NamedTuple):
    """What is to be done on the board."""

    parts: dict[int, bytes]
    withdrawn: list[int]


class Handout:
    """Times are seconds of one clock that only grows."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        # By number when each part was first seen to be taken; those that wait on the board are the last ones, in the order there.
        self._out: dict[int, float | None] = {}
        self._over: list[int] = []  # parts that were computed though they may wait, since they had been given out before
        self._lost: dict[int, int] = {}  # how often each was lost
        self._tellers: dict[str, float] = {}  # who computed a part, and when the last one was told

    @property
    def out(self) -> Collection[int]:
        """The parts that are given out."""
        return self._out.keys()

    @property
    def lost(self) -> int:
        """How many parts were given out again."""
        return sum(self._lost.values())

    def learn(self, number: int, teller: str, outcome: Outcome, now: float) -> None:
        """A part was computed."""
        self._tellers[teller] = now
        self._out.pop(number, None)
        if number in self._lost:
            self._over.append(number)
        self._chain.learn(number, outcome)

    def see(self, waiting: int, now: float) -> None:
        """So many parts wait on the board: all that were given out before these were taken, or are lost with the board."""
        for number in [*self._out][: max(0, len(self._out) - waiting)]:
            if self._out[number] is None:
                self._out[number] = now

    def move(self, now: float) -> Move:
        """What is to be given out, and what is to be withdrawn."""
        withdrawn = self._over + [number for number in self._out if not self._chain.is_wanted(number)]
        self._over = []
        for number in withdrawn:
            self._out.pop(number, None)
        self._take_back_lost(now)
        self._tellers = {teller: told for teller, told in self._tellers.items() if now - told < LATELY}
        return Move(dict(self._give(self._room(now))), withdrawn)

    def _give(self, room: int) -> Iterator[tuple[int, bytes]]:
        for _ in range(room):
            if (given := self._chain.next(len(self._tellers) or 1)) is None:
                return
            number, part = given
            self._out[number] = None
            yield number, encode_part(part)

    def _room(self, now: float) -> int:
        """How many more may be out. A child that is at work on a part for long is no teller now, and so its part does not count."""
        most = min(MOST, math.ceil(EACH * len(self._tellers))) if self._tellers else FIRST
        return max(0, most - sum(taken is None or now - taken < LATELY for taken in self._out.values()))

    def _take_back_lost(self, now: float) -> None:
        for number, taken in [*self._out.items()]:
            if taken is not None and now - taken >= min(LONGEST, PATIENCE * 2 ** self._lost.get(number, 0)):
                del self._out[number]
                self._lost[number] = self._lost.get(number, 0) + 1
                self._chain.again(number)
