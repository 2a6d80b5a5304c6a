"""Proofs that this worker puts together from parts, which child processes of all workers compute."""

import asyncio
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import gmpy2
from prometheus_client import Counter, Gauge
from redis.exceptions import ResponseError

from certificates import Malformed, Rejected, read, verify
from services.broker import unreadable
from services.broker.connection import PASSING
from services.broker.unreadable import MALFORMED, is_wrong_type
from services.runtime.vigil import Steps
from services.worker.claims.persistence import persist
from services.worker.compute.frames import Certified, Uncertified
from services.worker.parts import messages
from services.worker.parts.board import Board
from services.worker.parts.handout import Handout, Move
from services.worker.parts.keep import Chains
from services.worker.parts.messages import Told
from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.ecpp.parts import decode_outcome

log = logging.getLogger(__name__)

BEGUN = Counter("primes_worker_chains_total", "Proofs in parts that began, anew or where an earlier run had come to", ["begun"])
_anew, _restored = (BEGUN.labels(begun) for begun in ("anew", "restored"))
GIVEN_AGAIN = Counter("primes_worker_parts_given_again_total", "Parts of this worker's proofs that were lost and given out again")
DIGITS_LEFT = Gauge(
    "primes_worker_chain_digits", "Digits of the number that this worker's proof in parts has come to, of several the most; 0: none"
)

TICK = 1.0  # seconds between two looks at a proof of which nothing is heard
SAVE = 2.0  # seconds between two times that a chain is kept: so much work is lost with its worker
LAST = 2.0  # seconds in which a proof that ends here is kept and its parts are withdrawn
UNREAD = 1_024  # outcomes that wait to be learnt; above, the oldest are lost, and their parts are given out again


class Coordinator:
    """One proof at a time for each child process that asks for one."""

    def __init__(self, board: Board, chains: Chains, worker: str) -> None:
        """`worker`: this worker's name, by which it hears what came of parts."""
        self._board = board
        self._chains = chains
        self._worker = worker
        self._numbers = itertools.count(1)
        self._proofs: dict[str, _Proof] = {}
        self.steps = Steps("proofs in parts", tell=self._tell, excused=lambda: not self._proofs)
        DIGITS_LEFT.set_function(lambda: max((proof.digits_left for proof in self._proofs.values()), default=0))

    def hear(self, payload: bytes) -> None:
        """Something came of a part. What comes of a proof that is over is passed over. Raises msgspec.DecodeError."""
        told = messages.decode(payload)
        if (proof := self._proofs.get(told.proof)) is not None:
            proof.hear(told)

    async def prove(self, n: str, found: Callable[[bytes], None]) -> Certified | Uncertified:
        """The certificate of n, in decimal, which passed the tests. Cancelled, it keeps how far it came and withdraws parts.

        `found` is told each step as soon as it has its curve, as it stands in the certificate.
        """
        if (restored := await self._restore(n)) is not None:
            told = await self._finish(n, restored, found)
            if not isinstance(told, Certified) or await asyncio.to_thread(_holds, told.pari):
                return told
        _anew.inc()
        return await self._finish(n, await asyncio.to_thread(Chain, gmpy2.mpz(n)), found)

    async def _finish(self, n: str, chain: Chain, found: Callable[[bytes], None]) -> Certified | Uncertified:
        """What comes of a chain, once it has come to its end."""
        name = f"{self._worker}:{next(self._numbers)}"
        proof = self._proofs[name] = _Proof(n, name, chain, self._board, self._chains)
        try:
            while not proof.over:
                self.steps.step()
                await proof.go_on()
                for step in proof.take_found():
                    found(step)
        finally:
            del self._proofs[name]
            await proof.leave()
        certificate = await asyncio.to_thread(lambda: chain.certificate)
        if certificate is None:
            log.warning("a proof of %d digits in parts came to nothing: %s", len(n), chain.failure)
            return Uncertified(chain.failure)
        return Certified(certificate)

    async def _restore(self, n: str) -> Chain | None:
        """The chain as far as it came; None where nothing is kept of it."""
        if (kept := await persist(lambda: self._find(n))) is None:
            return None
        try:
            chain = await asyncio.to_thread(Chain.restore, gmpy2.mpz(n), kept)
        except MALFORMED as error:
            unreadable.note("chain", error)
            return None
        _restored.inc()
        log.info("a proof of %d digits goes on at %d", len(n), chain.digits_left)
        return chain

    async def _find(self, n: str) -> bytes | None:
        try:
            return await self._chains.find(n)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            unreadable.note("chain", error)
            return None

    def _tell(self) -> str:
        return "; ".join(str(proof) for proof in self._proofs.values())


def _holds(pari: bytes) -> bool:
    """Whether the certificate of a chain that was kept does: its curves come from Redis, and to keep one that does not hold is to
    fail each time that its number is asked for. Whoever waits for it verifies it all the same.
    """
    try:
        verify(read(pari))
    except (Malformed, Rejected) as error:
        unreadable.note("chain", error)
        return False
    return True


class _Proof:
    """One chain, its parts on the board, and what is told of them.

    What the chain does takes some 10 ms where a step was found: a thread does it all, so that quick numbers need not wait for that.
    """

    def __init__(self, n: str, name: str, chain: Chain, board: Board, chains: Chains) -> None:
        self._n = n
        self._name = name
        self._chain = chain
        self._board = board
        self._chains = chains
        self._handout = Handout(chain)
        self._one = threading.Lock()  # a thread goes on though its proof is cancelled: the last save waits for it
        self._told: deque[Told] = deque(maxlen=UNREAD)
        self._rung = asyncio.Event()
        self._found: list[bytes] = []  # steps whose curves are known, and of which nobody was told
        self._kept = chain.revision  # the revision that Redis has
        self._kept_at = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether there is a certificate, or will be none."""
        return self._chain.over

    @property
    def digits_left(self) -> int:
        """Of the number that the chain has come to."""
        return self._chain.digits_left

    def hear(self, told: Told) -> None:
        """Something came of a part."""
        self._told.append(told)
        self._rung.set()

    def take_found(self) -> list[bytes]:
        """The steps whose curves were found since this was asked last."""
        found, self._found = self._found, []
        return found

    async def go_on(self) -> None:
        """Learn what was told, give parts out, wait until something is heard of one."""
        self._rung.clear()
        lost = self._handout.lost
        move = await asyncio.to_thread(self._learn)
        GIVEN_AGAIN.inc(self._handout.lost - lost)
        if self.over:
            return
        try:
            self._handout.see(await self._board.offer(self._name, *move), time.monotonic())
            if time.monotonic() - self._kept_at >= SAVE:
                await self._keep()
        except PASSING as error:
            log.warning("could not give parts out, will try again: %s", error)
            await asyncio.sleep(TICK)
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK):
                await self._rung.wait()

    def _learn(self) -> Move:
        """All that was told until now, and what follows from that."""
        with self._one:
            while self._told and not self.over:
                told = self._told.popleft()
                try:
                    outcome = decode_outcome(told.outcome)
                except MALFORMED as error:
                    unreadable.note("outcome", error)
                else:
                    self._handout.learn(told.number, told.teller, outcome, time.monotonic())
            self._found += self._chain.found()
            return self._handout.move(time.monotonic())

    async def _keep(self) -> None:
        """Keep the chain if there is something new in it."""
        revision = self._chain.revision
        if revision != self._kept:
            self._kept_at = time.monotonic()
            await self._chains.keep(self._n, await asyncio.to_thread(self._save))
            self._kept = revision

    def _save(self) -> bytes:
        with self._one:
            return self._chain.save()

    async def leave(self) -> None:
        """It is over, or shall be another worker's: keep how far it came, withdraw what waits."""
        try:
            async with asyncio.timeout(LAST):
                if not self._chain.failure:
                    await self._keep()
                await self._board.withdraw(self._name)
        except (TimeoutError, *PASSING) as error:
            log.warning("could not leave a proof in parts tidily, at most %g s of it are lost: %s", SAVE, error)

    def __str__(self) -> str:
        return f"a proof of {len(self._n)} digits is at {self.digits_left}, {len(self._handout.out)} parts are out"
