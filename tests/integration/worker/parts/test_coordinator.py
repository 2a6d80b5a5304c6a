"""A proof is put together from parts on a real Redis, kept as far as it came, and left tidily."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import gmpy2
import msgspec
import pytest

from certificates import read, verify
from services.jobs import names
from services.worker.compute.frames import Certified, Uncertified
from services.worker.parts import coordinator as module
from services.worker.parts.board import Board
from services.worker.parts.coordinator import Coordinator
from services.worker.parts.keep import Chains, digest
from services.worker.parts.lane import PARTS
from services.worker.parts.part_process import PartProcess
from services.worker.prove.ecpp.chain import Chain, read_saved
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer
from tests.integration.worker.parts.board import BOUND, MEMORY, WORKER, Ear, working

PRIME = str(gmpy2.next_prime(gmpy2.mpz(10) ** 219))  # of 220 digits: some steps, and the tail
CHAIN = names.chain(digest(PRIME))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.05)
    monkeypatch.setattr(module, "SAVE", 0.0)
    monkeypatch.setattr(module, "LAST", BOUND)  # what is kept at the end is looked for


@asynccontextmanager
async def coordinating(server: RedisServer) -> AsyncIterator[Coordinator]:
    """A coordinator that hears what comes of its parts, which a child process computes."""
    redis, ear = connected(server, redis_timeout=BOUND), Ear(server)
    board, over = Board(redis), asyncio.Event()
    coordinator = Coordinator(board, Chains(redis), WORKER)

    async def hear() -> None:
        while True:
            for payload in ear.listen():
                coordinator.hear(payload)
            await asyncio.sleep(0.005)

    hearing = asyncio.create_task(hear())
    try:
        async with working(board, [PartProcess(MEMORY)], over.is_set) as lane:

            async def sweep() -> None:
                while not over.is_set():
                    lane.sweep()
                    await asyncio.sleep(0.02)

            sweeping = asyncio.create_task(sweep())
            yield coordinator
            over.set()
            await sweeping
    finally:
        hearing.cancel()
        with suppress(asyncio.CancelledError):
            await hearing


def ignore(_step: bytes) -> None:
    """For whoever waits for the end alone."""


def prove(server: RedisServer, found: Callable[[bytes], None] = ignore) -> Certified | Uncertified:
    async def run() -> Certified | Uncertified:
        async with coordinating(server) as coordinator, asyncio.timeout(BOUND):
            return await coordinator.prove(PRIME, found)

    return asyncio.run(run())


def check(told: Certified | Uncertified) -> Certified:
    assert isinstance(told, Certified)
    certificate = read(told.pari)
    assert certificate.n == int(PRIME)
    verify(certificate)
    return told


def left(server: RedisServer) -> int:
    """Keys that parts have."""
    proof = f"{WORKER}:1"
    return int(server.admin.exists(names.PARTS, names.parts(proof), names.payloads(proof)))


def computed() -> float:
    return PARTS.labels("told")._value.get()


def test_each_step_is_told_and_once_more_by_a_chain_that_goes_on(server: RedisServer) -> None:
    steps: list[bytes] = []
    made = check(prove(server, steps.append))
    assert steps
    assert all(step in made.pari for step in steps)
    chain = Chain.restore(gmpy2.mpz(PRIME), server.admin.get(CHAIN))
    assert (set(chain.found()), chain.found()) == (set(steps), [])
    assert left(server) == 0


def test_what_is_kept_at_the_end_is_the_whole_proof(server: RedisServer) -> None:
    made = check(prove(server))
    before = computed()
    assert prove(server) == made
    assert computed() == before


@pytest.mark.parametrize("kept", [b"", b"rubbish"])
def test_what_cannot_be_read_of_an_earlier_proof_begins_anew(server: RedisServer, kept: bytes) -> None:
    server.admin.set(CHAIN, kept)
    check(prove(server))


@pytest.mark.parametrize("changed", ["curve", "tail"])
def test_a_kept_chain_that_proves_nothing_begins_anew(server: RedisServer, changed: str) -> None:
    check(prove(server))
    kept = read_saved(server.admin.get(CHAIN))
    first, *others = kept.steps
    if changed == "curve":
        assert first.curve is not None
        wrong = msgspec.structs.replace(first, curve=msgspec.structs.replace(first.curve, x=first.curve.y))
        kept = msgspec.structs.replace(kept, steps=(wrong, *others))
    else:
        kept = msgspec.structs.replace(kept, tail="[[7, 3, 1, 1, [2, 3]]]")
    server.admin.set(CHAIN, zlib.compress(msgspec.msgpack.encode(kept)))
    made = check(prove(server))
    assert prove(server) == made


def test_a_kept_chain_of_another_type_begins_anew(server: RedisServer) -> None:
    server.admin.rpush(CHAIN, b"one")
    check(prove(server))


def test_a_proof_that_is_cancelled_is_kept_and_its_parts_are_withdrawn(server: RedisServer) -> None:
    longer = str(gmpy2.next_prime(gmpy2.mpz(10) ** 299))  # there are steps left when the first one has its curve

    async def run() -> None:
        async with coordinating(server) as coordinator, asyncio.timeout(BOUND):
            proving = asyncio.create_task(coordinator.prove(longer, lambda _: proving.cancel()))
            with pytest.raises(asyncio.CancelledError):
                await proving
            assert left(server) == 0

    asyncio.run(run())
    chain = Chain.restore(gmpy2.mpz(longer), server.admin.get(names.chain(digest(longer))))
    assert chain.found()
    assert chain.certificate is None


def test_several_proofs_go_on_beside_each_other(server: RedisServer) -> None:
    async def run() -> list[Certified | Uncertified]:
        async with coordinating(server) as coordinator, asyncio.timeout(BOUND):
            return await asyncio.gather(*(coordinator.prove(PRIME, ignore) for _ in range(2)))

    for told in asyncio.run(run()):
        check(told)
