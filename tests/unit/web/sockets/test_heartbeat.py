"""Each socket is pinged once an interval, and never many at once."""

import asyncio
import time
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from services.web.sockets import heartbeat
from services.web.sockets.heartbeat import PHASES, beat

ROUNDS = 3


class Socket:
    """Notes when it is told to beat."""

    def __init__(self, phase: int) -> None:
        self.phase = phase
        self.beats: list[float] = []
        self.excused: list[float] = []  # seconds
        self.done = asyncio.Event()  # it had so many

    def beat(self, now: float) -> None:
        self.beats.append(now)
        if len(self.beats) == ROUNDS:
            self.done.set()

    def excuse(self, seconds: float, now: float) -> None:
        self.excused.append(seconds)


async def beat_until_done(sockets: set[Socket], interval: float) -> None:
    """Until each that stays has had its beats."""
    beating = asyncio.create_task(beat(sockets, interval))
    async with asyncio.timeout(20):
        for socket in list(sockets):
            await socket.done.wait()
    beating.cancel()


def test_each_phase_has_its_share_of_the_sockets_and_its_turn_once_an_interval() -> None:
    sockets = {Socket(phase) for phase in range(3 * PHASES)}
    asyncio.run(beat_until_done(sockets, 0.1))
    at_once = Counter(now for socket in sockets for now in socket.beats)
    assert set(at_once.values()) == {3}
    by_phase = defaultdict(list)
    for socket in sockets:
        by_phase[socket.phase % PHASES].append(socket.beats)
    assert all(beats == group[0] for group in by_phase.values() for beats in group)
    order = [*range(1, PHASES), 0]
    for earlier, later in pairwise(order):
        assert all(a < b for a, b in zip(by_phase[earlier][0], by_phase[later][0], strict=False))


def test_a_socket_may_go_while_others_are_told() -> None:
    sockets: set[Socket] = set()

    class Leaving(Socket):
        def beat(self, now: float) -> None:
            super().beat(now)
            sockets.discard(self)
            self.done.set()

    leaving, staying = Leaving(0), Socket(heartbeat.PHASES)
    sockets |= {leaving, staying}

    asyncio.run(beat_until_done(sockets, 0.05))
    assert (len(leaving.beats), len(staying.beats)) == (1, ROUNDS)


@pytest.mark.parametrize(("late", "apart"), [(0.0, 10.0), (0.15, 10.0), (0.3, PHASES * 0.3)])
def test_a_busy_loop_stretches_no_interval(monkeypatch: pytest.MonkeyPatch, late: float, apart: float) -> None:
    """A turn is due every 0.2 s; one that always comes later than that cannot be made up for."""
    now, yielding = 1_000.0, asyncio.sleep

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += max(seconds, late)
        await yielding(0)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    socket = Socket(0)

    async def scenario() -> None:
        beating = asyncio.ensure_future(beat({socket}, 10.0))
        await socket.done.wait()
        beating.cancel()

    asyncio.run(scenario())
    assert [later - earlier for earlier, later in pairwise(socket.beats)] == pytest.approx([apart] * (ROUNDS - 1))
    assert not socket.excused


def test_a_standstill_of_the_process_is_no_silence_of_its_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    now, yielding, stalls = 1_000.0, asyncio.sleep, iter([0.0, 7.0])

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += max(seconds, 0) + next(stalls, 0.0)
        await yielding(0)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    sockets = {Socket(0), Socket(1)}

    async def scenario() -> None:
        beating = asyncio.ensure_future(beat(sockets, 10.0))
        for socket in sockets:
            await socket.done.wait()
        beating.cancel()

    asyncio.run(scenario())
    assert [socket.excused for socket in sockets] == [pytest.approx([7.0])] * 2
