"""Runs: costly computations that several may wait for, from their askers to what is kept of their answers."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import redis.asyncio

from services.broker.connection import PASSING
from services.broker.finish import Answered, DeadLetter, finish
from services.broker.script import Script
from services.jobs import messages, names
from services.jobs.evidence import Certificate
from services.jobs.messages import Answer, Asker, Fault, Job, Verdict, Wanted
from services.jobs.names import GROUP, Lane
from services.worker.claims.consumer import DEAD_LETTERS, UNHEARD, Claim
from services.worker.compute.child_process import EARLY, LOOK, late

COSTLY = 10_000  # µs of computation from which on an answer is kept: below, to compute it again costs less than to keep it

_scripts = Path(__file__).parent / "scripts"
_close = Script(_scripts / "close.lua")
_promote = Script(_scripts / "promote.lua")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits for a run: a job in the ledger of a web process."""

    web: str
    job: int
    asker: Asker

    @property
    def field(self) -> str:
        """As it stands among the run's askers."""
        return names.asker(self.web, self.job)


class Runs:
    """Every method but `look` and `find_known` raises what the Redis client raises."""

    def __init__(self, redis: redis.asyncio.Redis, consumer: str, cache_ttl: int) -> None:
        """`cache_ttl`: seconds that an answer is kept for those who ask later."""
        self._redis = redis
        self._consumer = consumer
        self._cache_ttl = cache_ttl

    async def find_known(self, claim: Claim) -> Answer | None:
        """The answer that is kept of an earlier run: one that ended after this job was queued, or before its worker died."""
        try:
            kept: Any = await self._redis.hget(names.question(messages.digest(claim.jobs[0])), "answer")
        except PASSING:
            return None
        return None if kept is None else messages.decode_answer(kept)

    async def look(self, claim: Claim, started: float, known: Answer | None) -> float:
        """Answer those whose time is over with what is `known`. Returns seconds until the next look; 0 when nobody else waits,
        who will be answered with the end of the run.

        `started`: time.monotonic() of the computation's beginning.
        """
        try:
            waiting = await self._waiting(claim)
            soon = (time.time() + EARLY) * 1000
            over = [each for each in waiting if each.asker.expires and each.asker.expires <= soon]
            if len(over) == len(waiting):
                return 0.0
            if over:
                await self._redis.hdel(self._askers(claim), *(each.field for each in over))
                await self._answer(claim.lane, [], over, late(claim.jobs[0], time.monotonic() - started, known))
        except PASSING:
            return LOOK
        ends = (each.asker.expires / 1000 - EARLY - time.time() for each in waiting if each.asker.expires and each not in over)
        return max(0.01, min([LOOK, *ends]))

    async def finish(self, claim: Claim, answer: Answer, dead: Sequence[DeadLetter]) -> None:
        """Answer all who wait, keep the answer if it was costly, acknowledge and delete the entry."""
        waiting = await self._close(claim, answer)
        await self._answer(claim.lane, [claim.id], waiting, answer, dead)
        DEAD_LETTERS.labels(claim.lane).inc(len(dead))

    async def promote(self, claim: Claim, answer: Answer) -> bool:
        """Move the run to the lane of proofs; nothing happens if it is ours no longer. False if too many wait there."""
        job = claim.jobs[0]
        question = names.question(messages.digest(job))
        entry = await _promote(
            self._redis,
            [names.stream(claim.lane), names.stream(Lane.PROOF), question, self._askers(claim)],
            *(GROUP, claim.id, claim.reply_to, messages.encode([job]), messages.encode(answer)),
            *(names.bell(Lane.PROOF), names.PROMOTIONS, names.session(""), names.askers(Lane.PROOF, "")),
            *(names.QUESTION_TTL, self._consumer, names.PROOFS),
        )
        return bool(entry != b"full")

    async def _close(self, claim: Claim, answer: Answer) -> list[Waiting]:
        """Let nobody join any more; returns who waits."""
        digest = messages.digest(claim.jobs[0])
        keep = self._cache_ttl and answer.fault is None and answer.compute_us >= COSTLY
        sha256 = answer.evidence.sha256 if isinstance(answer.evidence, Certificate) else ""
        fields = await _close(
            self._redis,
            [names.question(digest), self._askers(claim), names.KNOWN],
            *(f"{claim.lane} {claim.id.decode()}", messages.encode(answer) if keep else b"", sha256),
            *(self._cache_ttl, digest, names.KNOWN_LENGTH, names.question("")),
        )
        return _read_askers(claim, zip(fields[::2], fields[1::2], strict=True))

    async def _waiting(self, claim: Claim) -> list[Waiting]:
        fields: Any = await self._redis.hgetall(self._askers(claim))
        return _read_askers(claim, fields.items())

    async def _answer(
        self, lane: Lane, ids: list[bytes], waiting: list[Waiting], answer: Answer, dead: Sequence[DeadLetter] = ()
    ) -> None:
        answered: list[Answered] = []
        replies: dict[str, list[Answer]] = defaultdict(list)
        for each in waiting:
            own = msgspec.structs.replace(answer, id=each.job)
            if each.asker.session:
                job = Job(each.job, "", session=each.asker.session, request=each.asker.request)
                answered.append(Answered(job, each.web, own))
            else:
                replies[each.web].append(own)
        plain = [(names.results(web), messages.encode(batch)) for web, batch in replies.items()]
        finished = await finish(self._redis, lane, ids, answered=answered, publications=plain, dead=dead)
        UNHEARD.inc(finished.unheard)

    @staticmethod
    def _askers(claim: Claim) -> str:
        return names.askers(claim.lane, claim.id.decode())


def wants_proof(job: Job, answer: Answer) -> bool:
    """Whether the client of this answer waits for a proof."""
    if answer.verdict is Verdict.PROBABLY_PRIME:
        return job.wanted is not Wanted.VERDICT
    return answer.verdict is Verdict.PRIME and job.wanted is Wanted.CERTIFICATE


def crowded(answer: Answer) -> Answer:
    """What those are told who want one proof too many."""
    method = f"{answer.method}; no proof: {names.PROOFS:,} others wait for one"
    return msgspec.structs.replace(answer, verdict=Verdict.UNKNOWN, best=answer.verdict, method=method, fault=Fault.UNPROVEN)


def _read_askers(claim: Claim, fields: Iterable[tuple[bytes, bytes]]) -> list[Waiting]:
    """Who waits. An entry without askers is one of a retried dead letter, or of a web process of an older version."""
    waiting = []
    for field, payload in fields:
        web, _, job = field.decode().partition(" ")
        waiting.append(Waiting(web, int(job), messages.decode_asker(payload)))
    first = claim.jobs[0]
    return waiting or [Waiting(claim.reply_to, first.id, Asker(first.session, first.request, first.expires))]
