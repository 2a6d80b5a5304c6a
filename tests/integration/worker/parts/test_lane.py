"""Parts on a real Redis are taken as child processes are free, and told of; whatever befalls a child, the lane goes on."""

import asyncio
import os
import signal

import gmpy2
import pytest

from services.jobs import names
from services.worker.parts import lane as module
from services.worker.parts.board import Board
from services.worker.parts.lane import PARTS
from services.worker.parts.part_process import PartProcess
from services.worker.prove.ecpp.parts import Failed, Part, Roots, RootsFound, Tail, TailProven, decode_outcome, encode_part
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer
from tests.integration.waiting import eventually
from tests.integration.worker.parts.board import BOUND, MEMORY, WORKER, Ear, working

N = gmpy2.next_prime(gmpy2.mpz(10) ** 299)
PROOF = f"{WORKER}:1"
SHORT = Roots(str(N), (next(p for p in (5, -3, -7, 13, 17, 29) if gmpy2.jacobi(p, N) == 1),))
LONG = Tail(str(N))  # a second and more
ENDLESS = Tail(str(gmpy2.mpz(10) ** 499 + 153))  # a prime: far longer than its child lives


def counted(outcome: str) -> float:
    return PARTS.labels(outcome)._value.get()


def offered(*parts: Part) -> dict[int, bytes]:
    return {number: encode_part(part) for number, part in enumerate(parts, 1)}


def test_each_part_is_computed_and_told_once_by_all_children(server: RedisServer) -> None:
    ear = Ear(server)

    async def run() -> None:
        board = Board(connected(server, redis_timeout=BOUND))
        await board.offer(PROOF, offered(*[SHORT] * 12, LONG, LONG))
        async with working(board, [PartProcess(MEMORY) for _ in range(2)], lambda: len(ear.heard()) == 14):
            pass

    asyncio.run(run())
    assert sorted(told.number for told in ear.told) == list(range(1, 15))
    assert {told.proof for told in ear.told} == {PROOF}
    assert len({told.teller for told in ear.told}) == 2
    kinds = {type(decode_outcome(told.outcome)) for told in ear.told}
    assert kinds == {RootsFound, TailProven}
    assert not server.admin.exists(names.PARTS, names.parts(PROOF), names.payloads(PROOF))


def test_a_part_whose_child_is_killed_is_told_as_failed_and_the_next_is_computed(server: RedisServer) -> None:
    ear, before = Ear(server), counted("failed")

    async def run() -> None:
        board, child = Board(connected(server, redis_timeout=BOUND)), PartProcess(MEMORY)
        await board.offer(PROOF, offered(SHORT, ENDLESS, SHORT))
        async with working(board, [child], lambda: len(ear.heard()) == 3):
            await eventually(lambda: server.admin.llen(names.parts(PROOF)) == 1, "the second part was taken", BOUND)
            assert child._process is not None
            os.kill(child._process.pid, signal.SIGKILL)

    asyncio.run(run())
    first, failed, last = (decode_outcome(told.outcome) for told in ear.told)
    assert isinstance(failed, Failed)
    assert "SIGKILL" in failed.reason
    assert (type(first), type(last)) == (RootsFound, RootsFound)
    assert counted("failed") == before + 1


def test_what_cannot_be_read_is_dropped_and_the_next_is_computed(server: RedisServer) -> None:
    ear, before = Ear(server), counted("dropped")

    async def run() -> None:
        board = Board(connected(server, redis_timeout=BOUND))
        await board.offer(PROOF, {1: b"\xc1", 2: encode_part(SHORT)})
        async with working(board, [PartProcess(MEMORY)], lambda: bool(ear.heard())):
            pass

    asyncio.run(run())
    assert [told.number for told in ear.told] == [2]
    assert counted("dropped") == before + 1


def test_a_child_without_parts_is_ended_after_some_minutes(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ear, child = Ear(server), PartProcess(MEMORY)

    async def run() -> None:
        board = Board(connected(server, redis_timeout=BOUND))
        await board.offer(PROOF, offered(SHORT))
        async with working(board, [child], lambda: not child.started):
            await eventually(lambda: bool(ear.heard()), "it has computed")
            assert child.started
            monkeypatch.setattr(module, "IDLE", 0.0)

    asyncio.run(run())


def test_without_children_nothing_is_taken(server: RedisServer) -> None:
    async def run() -> None:
        board = Board(connected(server, redis_timeout=BOUND))
        await board.offer(PROOF, offered(SHORT))
        looks = iter(range(5))
        async with working(board, [], lambda: next(looks, None) is None):
            pass

    asyncio.run(run())
    assert server.admin.llen(names.parts(PROOF)) == 1


def test_what_was_taken_is_told_before_the_lane_stops(server: RedisServer) -> None:
    ear = Ear(server)

    async def run() -> None:
        board = Board(connected(server, redis_timeout=BOUND))
        await board.offer(PROOF, {1: encode_part(LONG)})
        async with working(board, [PartProcess(MEMORY)], lambda: True) as lane:
            await eventually(lambda: server.admin.llen(names.parts(PROOF)) == 0, "the part was taken")
            lane.bell.stop()
            await board.offer(PROOF, {2: encode_part(LONG)})

    asyncio.run(run())
    assert [told.number for told in ear.heard()] == [1]
    assert server.admin.llen(names.parts(PROOF)) == 1
