"""Proves quick primes above 3.3e24 unasked, in a child process beside the quick lane, as many as it has time for."""

import asyncio
import logging
from dataclasses import dataclass, field

import msgspec
from prometheus_client import Counter
from redis.exceptions import ResponseError

from services.broker import unreadable
from services.broker.unreadable import is_wrong_type
from services.jobs.messages import Answer, Job, Operation, Verdict
from services.worker.claims.claim import BatchClaim, JobsClaim, KnownClaim
from services.worker.compute.child_process import ChildProcess, time_left
from services.worker.compute.killable_process import AGAIN, Died, NotStarted
from services.worker.prove.keep import Certificates

log = logging.getLogger(__name__)

UNASKED = Counter("primes_worker_unasked_proofs_total", "Quick primes above 3.3e24, by whether they were proven", ["outcome"])
_proven, _late, _crowded = (UNASKED.labels(outcome) for outcome in ("proven", "late", "crowded"))

MOST = 64  # that wait for their proof; above, they are told as the tests have it, at once
LONGEST = 30.0  # seconds that one proof may compute: hundreds of times what any takes, on a machine that has time for it

PATIENCE = 2.0  # seconds after which one is told so too: most proofs take 1 to 30 ms, one of 109 digits a tenth of a second

STARTING = (
    10.0  # seconds, likewise, until the child has started for the first time: some tenths of one, on a machine with time for it
)


@dataclass(slots=True, eq=False)
class _Wanted:
    job: Job
    answer: Answer  # what the tests say
    proven: "asyncio.Future[Answer]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class Late:
    """The jobs of a batch whose answers wait for proofs."""

    claim: JobsClaim
    answers: list[Answer]  # what the tests say
    proofs: "list[asyncio.Future[Answer]]"
    patience: float  # seconds that they are waited for


class QuickProofs:
    """A prime waits here for its proof, for `PATIENCE` at most; whatever befalls the child, it has an answer then."""

    def __init__(self, memory: int, certificates: Certificates) -> None:
        """`memory`: MiB that the child may use."""
        self._child = ChildProcess(memory, LONGEST, prove=True, briefly=True)
        self._certificates = certificates
        self._patience = STARTING
        self._queue: asyncio.Queue[_Wanted] = asyncio.Queue(MOST)

    async def run(self) -> None:
        """Prove one after another, until cancelled."""
        try:
            await self._child.warm()
            self._patience = PATIENCE
            while True:
                await self._prove(await self._queue.get())
        finally:
            await self._child.close()

    def divide(self, claim: BatchClaim, answers: list[Answer]) -> tuple[BatchClaim, list[Answer], Late | None]:
        """What of a batch is told at once, and what waits for proofs."""
        if isinstance(claim, KnownClaim) or not any(answer.verdict is Verdict.PROBABLY_PRIME for answer in answers):
            return claim, answers, None
        begun = [(job, answer, self._begin(job, answer)) for job, answer in zip(claim.jobs, answers, strict=True)]
        waiting = [(job, answer, proof) for job, answer, proof in begun if proof is not None]
        if not waiting:
            return claim, answers, None
        jobs, unproven, proofs = (list(each) for each in zip(*waiting, strict=True))
        late = Late(msgspec.structs.replace(claim, jobs=jobs), unproven, proofs, self._patience)
        at_once = msgspec.structs.replace(claim, jobs=[job for job, _, proof in begun if proof is None])
        return at_once, [answer for _, answer, proof in begun if proof is None], late

    def _begin(self, job: Job, answer: Answer) -> "asyncio.Future[Answer] | None":
        """The better answer that is to be; None where this one is as good as it gets.

        Clients of the plain protocol, which carries no certificate, have it at once: they have no session, and no time to answer
        them in, as those of HTTP have. So has who has too little time.
        """
        if (
            answer.verdict is not Verdict.PROBABLY_PRIME
            or job.operation is not Operation.IS_PRIME
            or not (job.session or job.expires)
            or time_left(job) < PATIENCE
        ):
            return None
        wanted = _Wanted(job, answer)
        try:
            self._queue.put_nowait(wanted)
        except asyncio.QueueFull:
            _crowded.inc()
            return None
        return wanted.proven

    async def _prove(self, wanted: _Wanted) -> None:
        """Or tell what the tests say, where the child has no proof."""
        if wanted.proven.done():  # nobody waits any more
            return
        try:
            report = await self._child.compute(msgspec.structs.replace(wanted.job, expires=0))
        except Died as error:
            log.warning("a quick prime stays unproven: %s", error)
            wanted.proven.cancel()
            return
        except NotStarted as error:
            log.warning("%s", error)
            wanted.proven.cancel()
            await asyncio.sleep(AGAIN)
            return
        if report.answer.fault is not None:
            wanted.proven.cancel()
            return
        try:
            await self._certificates.keep_of(report, wanted.job)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            unreadable.note("certificate", error)
            wanted.proven.cancel()
        if not wanted.proven.done():
            elapsed = wanted.answer.compute_us + report.answer.compute_us
            wanted.proven.set_result(msgspec.structs.replace(report.answer, queue_ms=wanted.answer.queue_ms, compute_us=elapsed))


async def await_proofs(late: Late) -> list[Answer]:
    """The answers with their proofs; what the tests say of those that have none in time."""
    await asyncio.wait(late.proofs, timeout=late.patience)
    found = []
    for proof, answer in zip(late.proofs, late.answers, strict=True):
        done = proof.done() and not proof.cancelled()
        (_proven if done else _late).inc()
        found.append(proof.result() if done else answer)
        proof.cancel()
    return found
