"""Ends batches of jobs: answers are published, entries acknowledged and deleted in one step, and tried until Redis has it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import redis.asyncio

from services.broker.client import BrokerClient, Command
from services.broker.finish import Answered, DeadLetter, command, finish
from services.jobs import messages, names
from services.jobs.messages import Answer, Job
from services.jobs.names import GROUP, Lane
from services.worker.claims.claim import BatchClaim, Claim, jobs_of
from services.worker.claims.leases import Leases
from services.worker.claims.persistence import persist
from services.worker.claims.tally import DEAD_LETTERS, UNHEARD, count_answers, trace


class Finishing:
    """In one step, so that dying can repeat an answer but not lose one.

    Claims and their answers are of one lane, and a list of answers belongs to each claim.
    """

    def __init__(self, redis: redis.asyncio.Redis, broker: BrokerClient, leases: Leases, consumer: str) -> None:
        """`broker`: what is sent there goes before the next read that waits."""
        self._redis = redis
        self._consumer = consumer
        self._broker = broker
        self._leases = leases

    async def finish(
        self,
        claims: Sequence[BatchClaim],
        answers: Sequence[list[Answer]],
        dead: Sequence[DeadLetter] = (),
        held: Collection[bytes] = (),
    ) -> None:
        """Answer and acknowledge claims, trying until Redis has it. `held`: as for `send`."""
        await persist(lambda: self._finish(claims, answers, dead, held))
        DEAD_LETTERS.labels(claims[0].lane).inc(len(dead))
        self._conclude(claims, answers, held)

    async def set_aside(self, claim: Claim, reason: str) -> None:
        """End an entry unanswered: its web process finds it gone. Raises what the Redis client raises."""
        jobs = jobs_of(claim)
        payload: Job | bytes = jobs[0] if jobs else b""
        await finish(self._redis, claim.lane, [claim.id], dead=[DeadLetter(payload, reason, self._consumer)])
        DEAD_LETTERS.labels(claim.lane).inc()

    async def _finish(
        self, claims: Sequence[BatchClaim], answers: Sequence[list[Answer]], dead: Sequence[DeadLetter], held: Collection[bytes]
    ) -> None:
        answered, replies = _sort(claims, answers)
        if answered or dead or held:
            ids = [claim.id for claim in claims if claim.id not in held]
            publications = _publications(replies)
            finished = await finish(self._redis, claims[0].lane, ids, answered=answered, publications=publications, dead=dead)
            UNHEARD.inc(finished.unheard)
        else:
            async with self._redis.pipeline(transaction=True) as step:
                for each in _plain_step(claims, replies):
                    step.execute_command(*each)
                UNHEARD.inc((await step.execute())[: len(replies)].count(0))

    def send(
        self,
        claims: Sequence[BatchClaim],
        answers: Sequence[list[Answer]],
        failed: Callable[[], None],
        held: Collection[bytes] = (),
    ) -> "asyncio.Future[list[Any]]":
        """`finish` for quick claims: it is written when this returns, before the next read, which would hold it up.

        `held`: ids of entries that stay, since these claims have a part of their jobs and other answers are still to come.
        The future is done before that of the next read. If the step failed, with whatever, `failed` is called in the same
        turn of the loop: `finish` may still succeed.
        """

        def conclude(sent: "asyncio.Future[list[Any]]") -> None:
            if sent.cancelled() or sent.exception() is not None or not _note(sent.result()):
                failed()
            else:
                self._conclude(claims, answers, held)

        sent = self._send(claims, answers, held)
        sent.add_done_callback(conclude)
        return sent

    def _send(
        self, claims: Sequence[BatchClaim], answers: Sequence[list[Answer]], held: Collection[bytes]
    ) -> "asyncio.Future[list[Any]]":
        answered, replies = _sort(claims, answers)
        if answered or held:
            ids = [claim.id for claim in claims if claim.id not in held]
            return self._broker.send(command(Lane.QUICK, ids, answered, _publications(replies)))
        # for clients without a session, which are most: a transaction costs Redis less than a script
        return self._broker.send(("MULTI",), *_plain_step(claims, replies), ("EXEC",))

    def _conclude(self, claims: Sequence[BatchClaim], answers: Sequence[list[Answer]], held: Collection[bytes]) -> None:
        self._leases.drop(claim for claim in claims if claim.id not in held)
        count_answers(claims[0].lane, [answer for answered in answers for answer in answered])
        trace(claims, answers)


def _note(reply: list[Any]) -> bool:
    """Whether what Redis replied to `send` says that all was done; counts what nobody heard."""
    if any(isinstance(each, Exception) for each in reply):
        return False
    # a transaction begins with its publications and ends with two counts; the script begins with a count of those unheard
    UNHEARD.inc(reply[:-2].count(0) if len(reply) > 2 else reply[0])
    return True


def _sort(claims: Sequence[BatchClaim], answers: Sequence[list[Answer]]) -> tuple[list[Answered], dict[str, list[Answer]]]:
    """What sessions asked, and what others did, by web process."""
    answered: list[Answered] = []
    replies: dict[str, list[Answer]] = defaultdict(list)
    for claim, batch in zip(claims, answers, strict=True):
        if any(job.session for job in claim.jobs):
            for job, answer in zip(claim.jobs, batch, strict=True):
                if job.session:
                    answered.append(Answered(job, claim.reply_to, answer))
                else:
                    replies[claim.reply_to].append(answer)
        else:
            replies[claim.reply_to] += batch
    return answered, replies


def _publications(replies: Mapping[str, list[Answer]]) -> list[tuple[str, bytes]]:
    return [(names.results(web), messages.encode(batch)) for web, batch in replies.items()]


def _plain_step(claims: Sequence[BatchClaim], replies: Mapping[str, list[Answer]]) -> list[Command]:
    """A transaction: publish, then acknowledge and delete."""
    stream, ids = names.stream(claims[0].lane), [claim.id for claim in claims]
    publications: list[Command] = [("PUBLISH", *each) for each in _publications(replies)]
    return [*publications, ("XACK", stream, GROUP, *ids), ("XDEL", stream, *ids)]
