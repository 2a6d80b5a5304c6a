"""Runs: costly computations that several may wait for, from their askers to what is kept of their answers."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import redis.asyncio
from redis.exceptions import ResponseError

from services.broker import unreadable
from services.broker.connection import PASSING
from services.broker.finish import Answered, DeadLetter, finish
from services.broker.script import CLOCK, HELD, MESSAGEPACK, SPOILED, TRY, TURNS, Script
from services.broker.unreadable import UNREADABLE_ERRORS
from services.jobs import messages, names
from services.jobs.evidence import CertificateName
from services.jobs.messages import ANYBODY, Answer, Asker, Fault, Job, Verdict, Wanted
from services.jobs.names import GROUP, Lane
from services.worker.claims.claim import RunClaim
from services.worker.claims.tally import DEAD_LETTERS, UNHEARD
from services.worker.compute.child_process import EARLY, LOOK, late

COSTLY = 10_000  # µs of computation from which on an answer is kept: below, to compute it again costs less than to keep it

_scripts = Path(__file__).parent / "scripts"
CLOSE = Script(TRY, SPOILED, CLOCK, _scripts / "close.lua")
PROMOTE = Script(TRY, HELD, MESSAGEPACK, TURNS, _scripts / "promote.lua")


@dataclass(frozen=True, slots=True)
class Waiter:
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

    async def find_known(self, claim: RunClaim) -> Answer | None:
        """The answer that is kept of an earlier run: one that ended after this job was queued, or before its worker died."""
        try:
            kept: Any = await self._redis.hget(names.question(messages.digest(claim.job)), "answer")
            return None if kept is None else messages.decode_answer(kept)
        except PASSING:
            return None
        except (*UNREADABLE_ERRORS, ResponseError) as error:
            unreadable.note("kept answer", error)
            return None

    async def look(self, claim: RunClaim, started: float, known: Answer | None) -> float:
        """Answer those whose time is over with what is `known`. Returns seconds until the next look; 0 when nobody else waits:
        the last ones are answered with the end of the run.

        `started`: time.monotonic() of the computation's beginning.
        """
        try:
            waiting = await self._waiting(claim)
            soon = ends_now()
            over = [each for each in waiting if each.asker.expires and each.asker.expires <= soon]
            if len(over) == len(waiting):
                return 0.0
            if over:  # answered first: what dies in between leaves them to the next look, whose answer finds nobody
                await self._answer(claim.lane, [], over, late(claim.job, time.monotonic() - started, known))
                await self._redis.hdel(claim.askers, *(each.field for each in over))
        except PASSING:
            return LOOK
        except ResponseError as error:  # no hash of askers: the end of the run answers the one that the entry names
            unreadable.note("run", error)
            return LOOK
        ends = (each.asker.expires / 1000 - EARLY - time.time() for each in waiting if each.asker.expires and each not in over)
        return max(0.01, min([LOOK, *ends]))

    async def finish(self, claim: RunClaim, answer: Answer, dead: Sequence[DeadLetter], *, deserted: bool) -> bool:
        """Answer all who wait, keep the answer if it was costly, acknowledge and delete the entry.

        `deserted`: the computation was stopped since nobody waited for longer. Where somebody does by now, nothing is done, and
        False is returned: the run goes on. Where the entry is gone another worker answered, or will, and nobody is answered here.
        """
        waiting = await self._close(claim, answer, deserted)
        if waiting is None:
            return False
        if not waiting:
            return True
        await self._answer(claim.lane, [claim.id], waiting, answer, dead)
        DEAD_LETTERS.labels(claim.lane).inc(len(dead))
        return True

    async def promote(self, claim: RunClaim, answer: Answer) -> bool:
        """Move the run to the lane of proofs; nothing happens if it is ours no longer. False if too many wait there."""
        keys, arguments = promote_call(claim, answer, self._consumer)
        return bool(await PROMOTE(self._redis, keys, *arguments) != b"full")

    async def _close(self, claim: RunClaim, answer: Answer, deserted: bool) -> list[Waiter] | None:
        """Let nobody join any more; returns those that wait, none where the entry is gone, None where a deserted run is not."""
        keep = bool(self._cache_ttl) and answer.fault is None and answer.compute_us >= COSTLY
        keys, arguments = close_call(claim, answer if keep else None, self._cache_ttl, ends_now() if deserted else None)
        fields = await CLOSE(self._redis, keys, *arguments)
        if fields == b"gone":
            return []
        return None if fields is None else _read_askers(claim, zip(fields[::2], fields[1::2], strict=True))

    async def _waiting(self, claim: RunClaim) -> list[Waiter]:
        fields: Any = await self._redis.hgetall(claim.askers)
        return _read_askers(claim, fields.items())

    async def _answer(
        self, lane: Lane, ids: list[bytes], waiting: list[Waiter], answer: Answer, dead: Sequence[DeadLetter] = ()
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


class Patience:
    """How long the askers of one run wait: it lives as long as the most patient one, whoever asked first."""

    def __init__(self, runs: Runs, claim: RunClaim) -> None:
        self._runs = runs
        self._claim = claim
        self._started = time.monotonic()
        self.over = False  # whether nobody waited any more at the last look

    async def look(self, known: Answer | None) -> float:
        """See `Runs.look`."""
        pause = await self._runs.look(self._claim, self._started, known)
        self.over = pause <= 0
        return pause


def ends_now() -> int:
    """Requests whose time is over by then (ms since 1970) are answered now, so that what is known arrives in time."""
    return int((time.time() + EARLY) * 1000)


def wants_proof(job: Job, answer: Answer) -> bool:
    """Whether the client of this answer waits for a proof."""
    if answer.verdict is Verdict.PROBABLY_PRIME:
        return job.wanted is not Wanted.VERDICT
    return answer.verdict is Verdict.PRIME and job.wanted.kept and not isinstance(answer.evidence, CertificateName)


def crowded(answer: Answer) -> Answer:
    """What those are told who want one proof too many."""
    method = f"{answer.method}; no proof: {names.PROOFS:,} others wait for one"
    return msgspec.structs.replace(answer, verdict=Verdict.UNKNOWN, best=answer.verdict, method=method, fault=Fault.UNPROVEN)


def close_call(
    claim: RunClaim, kept: Answer | None, ttl: int, deserted_by: int | None = None
) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of close.lua; `kept`: the answer to keep for `ttl` seconds, None for none.

    `deserted_by`: close it only if nobody waits beyond that time (ms since 1970); None: in any case.
    """
    digest = messages.digest(claim.job)
    entry = f"{claim.lane} {claim.id.decode()}"
    answer = b"" if kept is None else messages.encode(kept)
    certificate = kept.evidence.sha256 if kept is not None and isinstance(kept.evidence, CertificateName) else ""
    keys = [names.stream(claim.lane), names.question(digest), claim.askers, names.KNOWN]
    deserted = "" if deserted_by is None else deserted_by
    return keys, [entry, answer, certificate, ttl, digest, names.KNOWN_LENGTH, names.question(""), deserted]


def promote_call(claim: RunClaim, so_far: Answer, consumer: str) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of promote.lua."""
    stream, proofs = names.stream(claim.lane), names.stream(Lane.PROOF)
    digest = messages.digest(claim.job)
    held = GROUP, consumer, claim.id
    entry = claim.reply_to, messages.encode([claim.job]), digest, messages.encode(so_far)
    channels = names.bell(Lane.PROOF), names.PROMOTIONS
    prefixes = names.session(""), names.askers(Lane.PROOF, "")
    bounds = names.QUESTION_TTL, names.PROOFS
    return [stream, proofs, names.question(digest), claim.askers], [*held, *entry, *channels, *prefixes, *bounds]


def _read_askers(claim: RunClaim, fields: Iterable[tuple[bytes, bytes]]) -> list[Waiter]:
    """Who waits. An entry that is there without askers is one of a retried dead letter, or of a web process of an older version."""
    waiting: list[Waiter] = []
    for field, payload in fields:
        if (waiter := _read_asker(field, payload)) is not None:
            waiting.append(waiter)
    return waiting or [Waiter(claim.reply_to, claim.job.id, messages.asker_of(claim.job))]


def _read_asker(field: bytes, payload: bytes) -> Waiter | None:
    """One that waits. Of one that cannot be read at least its web process is told, which has its client ask again; None where that
    cannot be read either: its audit finds the run gone.
    """
    try:
        web, _, number = field.decode().partition(" ")
        job = int(number)
    except UNREADABLE_ERRORS as error:
        unreadable.note("asker", error)
        return None
    try:
        return Waiter(web, job, messages.decode_asker(payload))
    except UNREADABLE_ERRORS as error:
        unreadable.note("asker", error)
        return Waiter(web, job, ANYBODY)
