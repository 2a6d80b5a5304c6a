"""A proof is put together from parts whatever is lost, kept as far as it came, and left tidily; without Redis or processes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import gmpy2
import pytest
from redis.exceptions import ConnectionError

from certificates import read, verify
from services.worker.compute.frames import Certified, Uncertified
from services.worker.parts import coordinator as module
from services.worker.parts import handout, messages
from services.worker.parts.coordinator import Coordinator
from services.worker.parts.messages import Told
from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.ecpp.parts import Failed, Outcome, Part, compute, decode_part, encode_outcome

PRIME = str(gmpy2.next_prime(gmpy2.mpz(10) ** 199))  # of 200 digits: a step or two, and the tail
MEMORY = 64  # MiB
BOUND = 60.0  # s

Compute = Callable[[Part], Outcome | None]


def computed(part: Part) -> Outcome:
    return compute(part, MEMORY)


class FakeBoard:
    """What is offered is computed at once, in this thread, as PARI wants it. Of what `compute` makes None nobody hears."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self.coordinator: Coordinator | None = None
        self.withdrawn: list[str] = []
        self.offers = 0
        self.fails = 0  # offers that Redis does not take
        self._tasks: set[asyncio.Task[None]] = set()

    async def offer(self, proof: str, parts: Mapping[int, bytes], withdrawn: Sequence[int] = ()) -> int:
        self.offers += 1
        if self.fails:
            self.fails -= 1
            raise ConnectionError("away")
        for number, part in parts.items():
            task = asyncio.create_task(self._answer(proof, number, part))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return 0

    async def _answer(self, proof: str, number: int, part: bytes) -> None:
        await asyncio.sleep(0)
        outcome = self._compute(decode_part(part))
        if outcome is not None and self.coordinator is not None:
            self.coordinator.hear(messages.encode(Told(proof, number, "child", encode_outcome(outcome))))

    async def withdraw(self, proof: str) -> None:
        self.withdrawn.append(proof)


class FakeChains:
    """Keeps in memory."""

    def __init__(self, kept: bytes | None = None) -> None:
        self.kept = kept

    async def find(self, n: str) -> bytes | None:
        return self.kept

    async def keep(self, n: str, saved: bytes) -> None:
        self.kept = saved


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.05)
    monkeypatch.setattr(module, "SAVE", 0.0)
    monkeypatch.setattr(handout, "PATIENCE", 0.5)


def coordinating(board: FakeBoard, chains: FakeChains) -> Coordinator:
    fakes: Any = board, chains  # as far as a coordinator uses them
    board.coordinator = Coordinator(*fakes, "worker")
    return board.coordinator


def ignore(_step: bytes) -> None:
    """For whoever waits for the end alone."""


def prove(board: FakeBoard, chains: FakeChains, found: Callable[[bytes], None] = ignore) -> Certified | Uncertified:
    async def bounded() -> Certified | Uncertified:
        return await asyncio.wait_for(coordinating(board, chains).prove(PRIME, found), BOUND)

    return asyncio.run(bounded())


def check(told: Certified | Uncertified) -> None:
    assert isinstance(told, Certified)
    certificate = read(told.pari)
    assert certificate.n == int(PRIME)
    verify(certificate)


def losing(every: int) -> Compute:
    """The first telling of each so manieth part is lost."""
    seen = 0

    def compute_or_lose(part: Part) -> Outcome | None:
        nonlocal seen
        seen += 1
        return None if seen % every == 0 else computed(part)

    return compute_or_lose


@pytest.mark.parametrize("compute", [computed, losing(2)])
def test_a_proof_is_made_whatever_is_lost(compute: Compute) -> None:
    board, chains = FakeBoard(compute), FakeChains()
    check(prove(board, chains))
    assert board.withdrawn == ["worker:1"]


def test_each_step_is_told_and_once_more_by_a_chain_that_goes_on() -> None:
    told: list[bytes] = []
    chains = FakeChains()
    made = prove(FakeBoard(computed), chains, told.append)
    assert isinstance(made, Certified)
    assert told
    assert all(step in made.pari for step in told)
    assert chains.kept
    chain = Chain.restore(gmpy2.mpz(PRIME), chains.kept)
    assert (set(chain.found()), chain.found()) == (set(told), [])


def test_redis_may_be_away_meanwhile() -> None:
    board = FakeBoard(computed)
    board.fails = 3
    check(prove(board, FakeChains()))


def test_what_is_kept_at_the_end_is_the_whole_proof() -> None:
    chains = FakeChains()
    check(prove(FakeBoard(computed), chains))
    again = FakeBoard(computed)
    check(prove(again, chains))
    assert again.offers == 0


@pytest.mark.parametrize("kept", [b"", b"rubbish"])
def test_what_cannot_be_read_of_an_earlier_proof_begins_anew(kept: bytes) -> None:
    check(prove(FakeBoard(computed), FakeChains(kept)))


def test_a_part_that_fails_again_and_again_ends_the_proof_with_the_reason() -> None:
    board, chains = FakeBoard(lambda _: Failed("child process ended by SIGKILL")), FakeChains()
    told = prove(board, chains)
    assert isinstance(told, Uncertified)
    assert "ended by SIGKILL" in told.reason
    assert (board.withdrawn, chains.kept) == (["worker:1"], None)


def test_a_proof_that_is_cancelled_is_kept_and_its_parts_are_withdrawn() -> None:
    async def scenario() -> tuple[FakeBoard, FakeChains]:
        steps = asyncio.Event()

        def compute_first(part: Part) -> Outcome | None:
            """Until a first curve was found."""
            if steps.is_set():
                return None
            outcome = computed(part)
            if type(part).__name__ == "Curve":
                steps.set()
            return outcome

        board, chains = FakeBoard(compute_first), FakeChains()
        proving = asyncio.create_task(coordinating(board, chains).prove(PRIME, ignore))
        await asyncio.wait_for(steps.wait(), BOUND)
        proving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await proving
        assert board.coordinator is not None
        board.coordinator.hear(messages.encode(Told("worker:1", 1, "child", b"late")))  # nobody waits for it
        return board, chains

    board, chains = asyncio.run(scenario())
    assert board.withdrawn == ["worker:1"]
    assert chains.kept is not None
    check(prove(FakeBoard(computed), chains))


def test_several_proofs_go_on_beside_each_other() -> None:
    async def scenario() -> list[Certified | Uncertified]:
        coordinator = coordinating(FakeBoard(computed), FakeChains())
        proofs: list[Awaitable[Certified | Uncertified]] = [coordinator.prove(PRIME, ignore) for _ in range(2)]
        return await asyncio.wait_for(asyncio.gather(*proofs), BOUND)

    for told in asyncio.run(scenario()):
        check(told)
