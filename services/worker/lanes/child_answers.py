"""From a claim to its answer by way of a child process, for each type of claim."""

from typing import assert_never

import msgspec
from redis.exceptions import ResponseError

from services.broker import unreadable
from services.broker.connection import PASSING
from services.broker.finish import DeadLetter
from services.broker.unreadable import is_wrong_type
from services.jobs.chunks import Outcome
from services.jobs.messages import Answer, Job
from services.jobs.names import Lane
from services.worker.claims.claim import ChunkClaim, Claim, Entry, JobsClaim, KnownClaim, RunClaim
from services.worker.claims.finishing import Finishing
from services.worker.claims.outcomes import Outcomes
from services.worker.claims.persistence import persist
from services.worker.claims.tally import count_answers, trace
from services.worker.compute.child_process import ChildProcess
from services.worker.compute.frames import Report
from services.worker.lanes.attempts import Attempts
from services.worker.lanes.runs import Patience, Runs, crowded, wants_proof
from services.worker.prove.keep import Certificates


class ChildAnswers:
    """Answers one claim at a time for each child process; whatever befalls Redis, until the answer is there."""

    def __init__(
        self, attempts: Attempts, finishing: Finishing, outcomes: Outcomes, runs: Runs, certificates: Certificates
    ) -> None:
        self._attempts = attempts
        self._finishing = finishing
        self._outcomes = outcomes
        self._runs = runs
        self._certificates = certificates

    async def answer(self, claim: Claim, child: ChildProcess) -> None:
        """Compute what the claim asks and answer it. One of which something in Redis cannot be read is set aside."""
        try:
            await self._answer(claim, child)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            unreadable.note("entry", error)
            reason = f"it cannot be ended: {error}"
            await persist(lambda: self._finishing.set_aside(claim, reason))

    async def _answer(self, claim: Claim, child: ChildProcess) -> None:
        match claim:
            case RunClaim():
                await self._answer_run(claim, child)
            case ChunkClaim():
                await self._answer_chunk(claim, child)
            case JobsClaim():
                dead: list[DeadLetter] = []
                answers = await self._compute_all(claim, claim.jobs, child, dead)
                await self._finishing.finish([claim], [answers], dead)
            case KnownClaim():
                await self._finishing.finish([claim], [claim.answers()])
            case _:
                assert_never(claim)

    async def _answer_chunk(self, claim: ChunkClaim, child: ChildProcess) -> None:
        """Compute the lines of an upload, if it is still there."""
        try:
            if await self._outcomes.unwanted([claim]):
                return
        except PASSING:  # the next renewal of the lease will tell
            pass
        dead: list[DeadLetter] = []
        answers = await self._compute_all(claim, claim.chunk.jobs(), child, dead)
        await self._outcomes.store(claim, Outcome.of_answers(claim.chunk, answers), dead)

    async def _answer_run(self, claim: RunClaim, child: ChildProcess) -> None:
        """Compute until somebody's answer is there, or nobody waits; a client may join as the last one's time ends."""
        while not await self._end_run(claim, child):
            pass

    async def _end_run(self, claim: RunClaim, child: ChildProcess) -> bool:
        """Compute for all who wait, unless somebody did so meanwhile; what is to be proven moves on. False: the run goes on."""
        dead: list[DeadLetter] = []
        known = await self._runs.find_known(claim)
        patience = Patience(self._runs, claim)
        report = Report(known) if known else await self._attempts.compute(claim, claim.job, child, dead, patience.look)
        answer = _timed(claim, report.answer)
        if claim.lane is Lane.HEAVY and wants_proof(claim.job, answer):
            if await persist(lambda: self._runs.promote(claim, answer)):
                return True
            answer = crowded(answer)
        await self._certificates.keep_of(report, claim.job)
        if not await persist(lambda: self._runs.finish(claim, answer, dead, deserted=patience.over)):
            return False
        count_answers(claim.lane, [answer])
        trace([claim], [[answer]])
        return True

    async def _compute_all(
        self, claim: JobsClaim | ChunkClaim, jobs: list[Job], child: ChildProcess, dead: list[DeadLetter]
    ) -> list[Answer]:
        """The jobs' answers, one by one; adds to `dead` those that have none."""
        answers = []
        for job in jobs:
            report = await self._attempts.compute(claim, job, child, dead)
            await self._certificates.keep_of(report, job)
            answers.append(_timed(claim, report.answer))
        return answers


def _timed(claim: Entry, answer: Answer) -> Answer:
    return msgspec.structs.replace(answer, queue_ms=claim.queue_ms)
