"""Parts are given out as children answer, again where they were lost, and withdrawn where they are needed no longer."""

import math

import gmpy2
import pytest

from services.worker.parts.handout import EACH, FIRST, LATELY, LONGEST, MOST, PATIENCE, Handout
from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.ecpp.parts import Failed, Outcome, Part, Tail, TailProven, decode_part

DONE = TailProven("97")


class Script(Chain):
    """As many parts as it is told, each wanted until it is learnt."""

    def __init__(self, parts: int) -> None:
        self._next = iter(range(1, parts + 1))
        self.repeated: list[int] = []
        self.wanted: set[int] = set()
        self.learnt: list[int] = []
        self.workers = 0

    def next(self, workers: int = 1) -> tuple[int, Part] | None:
        self.workers = workers
        number = self.repeated.pop(0) if self.repeated else next(self._next, None)
        if number is None:
            return None
        self.wanted.add(number)
        return number, Tail(str(number))

    def is_wanted(self, number: int) -> bool:
        return number in self.wanted

    def again(self, number: int) -> None:
        self.repeated.append(number)

    def learn(self, number: int, outcome: Outcome) -> None:
        self.learnt.append(number)
        self.wanted.discard(number)
        if isinstance(outcome, Failed):
            self.again(number)


def numbers(handout: Handout, now: float) -> list[int]:
    return list(handout.move(now).parts)


def test_a_few_are_given_out_before_anybody_answers() -> None:
    handout = Handout(Script(100))
    move = handout.move(0.0)
    assert list(move.parts) == list(range(1, FIRST + 1))
    assert decode_part(move.parts[3]) == Tail("3")
    assert handout.move(0.1).parts == {}


@pytest.mark.parametrize(("tellers", "out"), [(1, 2), (3, 5), (10, 15), (1000, MOST)])
def test_half_as_many_again_are_out_as_children_answer(tellers: int, out: int) -> None:
    chain = Script(5_000)
    handout = Handout(chain)
    handout.move(0.0)
    for number in range(1, max(tellers, FIRST) + 1):
        handout.learn(number, f"child {number % tellers}", DONE, 1.0)
    handout.move(1.0)
    assert (len(handout.out), chain.workers) == (out, tellers)


def test_children_that_compute_one_part_for_long_leave_room_for_others() -> None:
    handout = Handout(Script(100))
    handout.move(0.0)
    for number in range(1, FIRST + 1):
        handout.learn(number, f"child {number % 4}", DONE, 1.0)
    assert len(handout.move(1.0).parts) == 4 * EACH
    handout.see(0, 1.0)  # five of these six occupy somebody
    handout.learn(FIRST + 6, "child 0", DONE, 1.0 + LATELY)
    assert len(handout.move(1.0 + LATELY).parts) == math.ceil(EACH)


def test_children_that_answer_no_longer_are_no_reason_for_more() -> None:
    handout = Handout(Script(1_000))
    handout.move(0.0)
    for teller in range(20):
        handout.learn(teller + 1, f"child {teller}", DONE, 1.0)
    assert len(handout.move(1.0).parts) == 20 * EACH
    for number in list(handout.out)[:-1]:
        handout.learn(number, "child 0", DONE, 2.0 + LATELY)
    handout.move(2.0 + LATELY)
    assert len(handout.out) == math.ceil(EACH)


def test_what_waits_is_not_lost_however_long() -> None:
    handout = Handout(Script(3))
    handout.move(0.0)
    for now in range(1, 1000):
        handout.see(3, float(now))
        assert handout.move(float(now)) == ({}, [])


def test_what_was_taken_and_is_not_told_is_given_out_again_ever_later() -> None:
    handout = Handout(Script(2))
    handout.move(0.0)
    handout.see(1, 10.0)  # the first one was taken
    assert numbers(handout, 10.0 + PATIENCE - 0.1) == []
    assert numbers(handout, 10.0 + PATIENCE) == [1]
    handout.see(0, 20.0)
    assert numbers(handout, 20.0 + PATIENCE) == [2]
    handout.see(0, 30.0)
    assert numbers(handout, 29.9 + 2 * PATIENCE) == [1]
    assert handout.lost == 3


def test_it_is_waited_no_longer_than_a_child_may_take() -> None:
    handout, now = Handout(Script(1)), 0.0
    handout.move(now)
    for _ in range(20):
        handout.see(0, now)
        now += LONGEST
        assert numbers(handout, now) == [1]


def test_all_are_given_out_again_when_the_board_was_emptied() -> None:
    handout = Handout(Script(3))
    handout.move(0.0)
    handout.see(3, 0.0)
    handout.see(0, 1.0)
    assert numbers(handout, 1.0 + PATIENCE) == [1, 2, 3]


def test_what_is_told_late_counts_and_its_repetition_is_withdrawn() -> None:
    chain = Script(1)
    handout = Handout(chain)
    handout.move(0.0)
    handout.see(0, 0.0)
    assert numbers(handout, PATIENCE) == [1]
    handout.learn(1, "slow", DONE, PATIENCE + 1)
    assert chain.learnt == [1]
    assert handout.move(PATIENCE + 1) == ({}, [1])
    assert handout.move(PATIENCE + 2) == ({}, [])


def test_what_is_not_wanted_any_more_is_withdrawn_and_makes_room() -> None:
    chain = Script(100)
    handout = Handout(chain)
    handout.move(0.0)
    chain.wanted -= {2, 5}
    move = handout.move(1.0)
    assert (move.withdrawn, list(move.parts)) == ([2, 5], [FIRST + 1, FIRST + 2])


def test_what_failed_is_given_out_when_the_chain_wants_it_again() -> None:
    handout = Handout(Script(1))
    handout.move(0.0)
    handout.learn(1, "child", Failed("ended by SIGKILL"), 1.0)
    assert numbers(handout, 1.0) == [1]


def test_a_real_chain_gives_out_parts() -> None:
    handout = Handout(Chain(gmpy2.next_prime(gmpy2.mpz(10) ** 300)))
    assert 0 < len(handout.move(0.0).parts) <= FIRST
