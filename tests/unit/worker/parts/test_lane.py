"""Parts are taken as children are free, and told of; whatever befalls a child or Redis, the lane goes on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from redis.exceptions import ConnectionError

from services.worker.compute.killable_process import Died, NotStarted
from services.worker.parts import lane as module
from services.worker.parts.board import Taken
from services.worker.parts.lane import PARTS, PartLane
from services.worker.parts.messages import Told
from services.worker.prove.ecpp.parts import Failed, decode_outcome

BOUND = 10.0  # s

Compute = Callable[[bytes], Coroutine[Any, Any, bytes]]


class FakeBoard:
    """Parts that wait, and what was told."""

    def __init__(self, *parts: bytes) -> None:
        self.waiting = [Taken("w:1", number, part) for number, part in enumerate(parts)]
        self.told: list[Told] = []
        self.takes_fail = 0
        self.spoiled = 0

    async def take(self) -> Taken | None:
        if self.takes_fail:
            self.takes_fail -= 1
            raise ConnectionError("away")
        if self.spoiled:
            self.spoiled -= 1
            raise ValueError("no number")
        return self.waiting.pop(0) if self.waiting else None

    async def tell(self, told: Told) -> None:
        if told.outcome == b"lost":
            raise ConnectionError("away")
        self.told.append(told)


class FakeChild:
    """A child process; `most` of all such were at work at once."""

    at_work = most = 0

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self.idle = 0.0
        self.closed = 0

    async def compute(self, part: bytes) -> bytes:
        FakeChild.at_work += 1
        FakeChild.most = max(FakeChild.most, FakeChild.at_work)
        try:
            return await self._compute(part)
        finally:
            FakeChild.at_work -= 1

    async def close(self) -> None:
        self.closed += 1
        self.idle = 0.0


async def echo(part: bytes) -> bytes:
    await asyncio.sleep(0)
    return part


def counted(outcome: str) -> float:
    return float(PARTS.labels(outcome)._value.get())


async def work(board: FakeBoard, *children: FakeChild, until: Callable[[], bool]) -> None:
    """Have a lane work until this is so, sweeping as a worker does, and then stop."""
    fakes: Any = board, children  # as far as a lane uses them
    lane = PartLane(*fakes, "worker")
    running = asyncio.create_task(lane.run())
    async with asyncio.timeout(BOUND):
        while not until():
            await asyncio.sleep(0.01)
            lane.sweep()
        lane.bell.stop()
        await running


def test_each_part_is_computed_and_told_once_by_as_many_children_as_there_are() -> None:
    FakeChild.most = 0
    board = FakeBoard(*(b"%d" % number for number in range(20)))
    asyncio.run(work(board, *(FakeChild(echo) for _ in range(3)), until=lambda: len(board.told) == 20))
    assert sorted((told.number, told.outcome) for told in board.told) == [(n, b"%d" % n) for n in range(20)]
    assert {told.teller for told in board.told} == {"worker 0", "worker 1", "worker 2"}
    assert FakeChild.most == 3


@pytest.mark.parametrize("error", [Died("child process ended by SIGKILL"), Died("a part of a proof took longer than 60 s")])
def test_a_part_that_ends_its_child_is_told_as_failed(error: Died) -> None:
    async def die(part: bytes) -> bytes:
        raise error

    board, before = FakeBoard(b"part"), counted("failed")
    asyncio.run(work(board, FakeChild(die), until=lambda: bool(board.told)))
    outcome = decode_outcome(board.told[0].outcome)
    assert isinstance(outcome, Failed)
    assert outcome.reason == str(error)
    assert counted("failed") == before + 1


@pytest.mark.parametrize("first", [b"", b"lost"])
def test_what_cannot_be_read_or_told_is_dropped_and_the_next_is_computed(first: bytes) -> None:
    board, before = FakeBoard(first, b"next"), counted("dropped")
    asyncio.run(work(board, FakeChild(echo), until=lambda: bool(board.told)))
    assert [told.outcome for told in board.told] == [b"next"]
    assert counted("dropped") == before + 1


def test_a_child_that_does_not_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.01)
    failures = [NotStarted("no memory")]

    async def start_late(part: bytes) -> bytes:
        if failures:
            raise failures.pop()
        return part

    board = FakeBoard(b"dropped", b"next")
    asyncio.run(work(board, FakeChild(start_late), until=lambda: bool(board.told)))
    assert [told.outcome for told in board.told] == [b"next"]


def test_redis_may_be_away_and_its_words_spoiled() -> None:
    board = FakeBoard(b"part")
    board.takes_fail, board.spoiled = 1, 1
    asyncio.run(work(board, FakeChild(echo), until=lambda: bool(board.told)))


def test_a_child_without_parts_is_ended_after_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    child = FakeChild(echo)
    child.idle = module.IDLE + 1
    asyncio.run(work(FakeBoard(), child, until=lambda: child.closed == 1))


def test_without_children_nothing_is_taken() -> None:
    board = FakeBoard(b"part")
    looks = iter(range(5))
    asyncio.run(work(board, until=lambda: next(looks, None) is None))
    assert len(board.waiting) == 1


def test_what_was_taken_is_told_before_the_lane_stops() -> None:
    begun = asyncio.Event()

    async def slow(part: bytes) -> bytes:
        begun.set()
        await asyncio.sleep(0.05)
        return part

    board = FakeBoard(b"one", b"two")
    asyncio.run(work(board, FakeChild(slow), until=begun.is_set))
    assert [told.outcome for told in board.told] == [b"one"]
