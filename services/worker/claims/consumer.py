"""One worker's part in the consumer groups: claim, renew, take over; answer and acknowledge."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import redis.asyncio
from prometheus_client import Counter
from redis.exceptions import ResponseError

from services.broker.client import BrokerClient, Command
from services.broker.connection import PASSING
from services.broker.finish import Answered, DeadLetter, command, finish
from services.broker.script import SET_ASIDE, Script
from services.jobs import chunks, messages, names
from services.jobs.chunks import Chunk, Outcome
from services.jobs.messages import Answer, Job
from services.jobs.names import GROUP, Lane

log = logging.getLogger(__name__)

DEAD_LETTERS = Counter("primes_worker_dead_letters_total", "Jobs set aside as dead letters", ["lane"])
UNHEARD = Counter("primes_worker_unheard_total", "Publications of answers for which no web process listened")
for _lane in Lane:
    DEAD_LETTERS.labels(_lane)

Entry = tuple[bytes, dict[bytes, bytes]]  # id and fields, as Redis tells them

FORGET = 3_600_000  # ms idle after which a consumer without entries is deleted: a worker that is gone
WAIT = 1.0  # seconds that a read waits for a quick entry; so long may a worker that is stopped claim some
RETURNED = "returned"  # consumer that holds what a stopping worker gave back, until the next takeover

_scripts = Path(__file__).parent / "scripts"
_renew = Script(_scripts / "renew.lua")
_started = Script(_scripts / "mark_started.lua")
_store = Script(SET_ASIDE, _scripts / "store.lua")


@dataclass(frozen=True, slots=True)
class Claim:
    """One stream entry that this worker holds: its jobs, whom to answer, how often it was delivered (1: to us first).

    Or a chunk of an upload; its numbers are not among the jobs.
    """

    lane: Lane
    id: bytes
    reply_to: str
    jobs: list[Job]
    deliveries: int
    queue_ms: int  # from the write to this claim, by Redis' clock and this one's
    upload: str = ""  # id of the upload
    chunk: Chunk | None = None
    known: Answer | None = None  # the answer to its jobs, where an earlier run found it

    def answer(self, job: Job) -> Answer | None:
        """The known answer as that of one of its jobs."""
        return None if self.known is None else msgspec.structs.replace(self.known, id=job.id, queue_ms=self.queue_ms)


class Consumer:
    """Claims are leases: unless renewed, another worker takes them over when they run out.

    Every method raises what the Redis client raises; claims that could not be answered are kept by the caller.
    """

    def __init__(self, redis: redis.asyncio.Redis, name: str, lease: float) -> None:
        self._redis = redis
        self._broker = BrokerClient(redis)  # for quick entries, which are read and finished on it in turn
        self.name = name
        self._lease_ms = int(lease * 1000)
        self._unsure: set[Lane] = set()  # lanes whose last read failed: Redis may have given us entries that we never saw

    async def read(self, lane: Lane, count: int, held: Container[bytes]) -> list[Claim]:
        """Claim up to `count` entries that nobody was given yet, oldest first.

        After a read that failed, first those that Redis gave us then: they are ours, and not among the ids `held`.
        """
        if lane in self._unsure:
            unknown = [entry for entry in await self._read(lane, "0", None) if entry[0] not in held]
            if len(unknown) <= count:
                self._unsure.discard(lane)
            if unknown:
                return await self._open(lane, unknown[:count], deliveries=1)
        while entries := await self._read(lane, ">", count):
            if claims := await self._open(lane, entries, deliveries=1):
                return claims
        return []

    async def wait(self, count: int, held: Container[bytes]) -> list[Claim]:
        """`read` of the quick lane, which waits up to a second for the first entry.

        Redis gives an entry to the one that waits for the longest time, and wakes no other.
        """
        lane = Lane.QUICK
        if lane in self._unsure:
            return await self.read(lane, count, held)
        stream = names.stream(lane)
        group, block = ("GROUP", GROUP, self.name), int(WAIT * 1000)
        reading = "XREADGROUP", *group, "COUNT", count, "BLOCK", block, "STREAMS", stream, ">"
        reply = await self._receive(lane, self._broker.run(*reading, blocking=WAIT))
        entries = [(id, dict(zip(fields[::2], fields[1::2], strict=True))) for id, fields in reply[0][1]] if reply else []
        return await self._open(lane, entries, deliveries=1)

    async def _read(self, lane: Lane, after: str, count: int | None) -> list[Entry]:
        """New entries (`after` is ">") or our own pending ones."""
        reply = await self._receive(lane, self._redis.xreadgroup(GROUP, self.name, {names.stream(lane): after}, count=count))
        # An entry that was deleted while it was pending has no fields.
        return [entry for entry in reply[0][1] if entry[1]] if reply else []

    async def _receive(self, lane: Lane, reading: Awaitable[Any]) -> Any:
        """What a read of the lane gives; None where there was no group, which is made."""
        try:
            return await reading
        except PASSING:
            self._unsure.add(lane)
            raise
        except ResponseError as error:
            await self._create_group(lane, error)
            return None

    async def take_over(self, lane: Lane) -> list[Claim]:
        """Claim the oldest entry whose lease ran out; none or one."""
        stream = names.stream(lane)
        try:
            reply: Any = await self._redis.xautoclaim(stream, GROUP, self.name, self._lease_ms, count=1)
            entries = reply[1]
            if not entries:
                return []
            id = entries[0][0]
            held: Any = await self._redis.xpending_range(stream, GROUP, id, id, 1)
        except ResponseError as error:
            await self._create_group(lane, error)
            return []
        return await self._open(lane, entries, held[0]["times_delivered"]) if held else []

    async def renew(self, claims: Iterable[Claim]) -> list[Claim]:
        """Renew the leases of these claims; returns those that are lost."""
        by_lane: dict[Lane, dict[bytes, Claim]] = defaultdict(dict)
        for claim in claims:
            by_lane[claim.lane][claim.id] = claim
        lost: list[Claim] = []
        for lane, held in by_lane.items():
            ids = await _renew(self._redis, [names.stream(lane)], GROUP, self.name, *held)
            lost += [held[id] for id in ids]
        return lost

    async def finish(self, claims: Sequence[Claim], answers: Sequence[list[Answer]], dead: Sequence[DeadLetter] = ()) -> None:
        """Publish the answers, acknowledge and delete the entries of one lane, all in one step.

        Together, so that dying can repeat an answer but not lose one.
        """
        answered, replies = _sort(claims, answers)
        if answered or dead:
            ids = [claim.id for claim in claims]
            finished = await finish(
                self._redis, claims[0].lane, ids, answered=answered, publications=_publications(replies), dead=dead
            )
            UNHEARD.inc(finished.unheard)
        else:
            async with self._redis.pipeline(transaction=True) as step:
                for each in _plain_step(claims, replies):
                    step.execute_command(*each)
                UNHEARD.inc((await step.execute())[: len(replies)].count(0))
        DEAD_LETTERS.labels(claims[0].lane).inc(len(dead))

    def send_finish(self, claims: Sequence[Claim], answers: Sequence[list[Answer]]) -> "asyncio.Future[list[Any]]":
        """`finish` for quick entries: it is written when this returns, before the next `wait`, which would hold it up.

        The future is done before that of the next `wait`. Whatever it fails with, `finish` may succeed; its result is
        for `note_finish`.
        """
        answered, replies = _sort(claims, answers)
        if answered:
            ids = [claim.id for claim in claims]
            return self._broker.send(command(Lane.QUICK, ids, answered, _publications(replies)))
        # for clients without a session, which are most: a transaction costs Redis less than a script
        return self._broker.send(("MULTI",), *_plain_step(claims, replies), ("EXEC",))

    def note_finish(self, reply: list[Any]) -> bool:
        """Whether what Redis replied to `send_finish` says that all was done; counts what nobody heard."""
        if any(isinstance(each, Exception) for each in reply):
            return False
        # a transaction begins with its publications and ends with two counts; the script begins with a count of those unheard
        UNHEARD.inc(reply[:-2].count(0) if len(reply) > 2 else reply[0])
        return True

    async def mark_started(self, claims: Iterable[Claim], started: Iterable[float]) -> None:
        """Note for the clients of these claims since when (seconds since 1970) their jobs run; a session's only."""
        keys: list[str] = []
        marks: list[str | int] = []
        for claim, since in zip(claims, started, strict=True):
            for job in claim.jobs:
                if job.session:
                    keys.append(names.session(job.session))
                    marks += (job.request, int(since * 1000))
        if keys:
            await _started(self._redis, keys, *marks)

    async def store(self, claim: Claim, outcome: Outcome, dead: Sequence[DeadLetter]) -> None:
        """Keep a chunk's outcome, tell the web process, acknowledge and delete the entry, all in one step.

        An outcome that is there already stays; if the upload is gone, nothing is kept.
        """
        assert claim.chunk is not None  # what the caller was given
        letters = [part for letter in dead for part in letter.fields(claim.lane)]
        await _store(
            self._redis,
            [names.stream(claim.lane), names.upload(claim.upload), names.DEAD],
            *(GROUP, claim.id, claim.chunk.number, chunks.pack(outcome), names.notices(claim.reply_to), claim.upload),
            *(names.DEAD_LENGTH, *letters),
        )
        DEAD_LETTERS.labels(claim.lane).inc(len(dead))

    async def unwanted(self, claims: Iterable[Claim]) -> list[Claim]:
        """Those chunks whose uploads are gone; their entries are acknowledged and deleted."""
        mine = [claim for claim in claims if claim.chunk is not None]
        if not mine:
            return []
        async with self._redis.pipeline(transaction=False) as step:
            for claim in mine:
                step.hexists(names.upload(claim.upload), "state")
            there = await step.execute()
        gone = [claim for claim, found in zip(mine, there, strict=True) if not found]
        for claim in gone:
            async with self._redis.pipeline(transaction=True) as step:
                step.xack(names.stream(claim.lane), GROUP, claim.id)
                step.xdel(names.stream(claim.lane), claim.id)
                await step.execute()
        return gone

    async def give_back(self, claims: Iterable[Claim]) -> None:
        """Let another worker start these at once, as if this delivery had not been."""
        for claim in claims:
            await self._redis.xclaim(
                names.stream(claim.lane), GROUP, RETURNED, 0, [claim.id],
                idle=self._lease_ms + 1, retrycount=claim.deliveries - 1, justid=True,
            )  # fmt: skip

    async def forget_the_dead(self, lane: Lane) -> None:
        """Delete consumers that hold nothing and have been silent for long: each start of a worker makes a new one."""
        try:
            consumers = await self._redis.xinfo_consumers(names.stream(lane), GROUP)
        except ResponseError:  # no stream or no group: nobody to forget
            return
        for consumer in consumers:
            if consumer["pending"] == 0 and consumer["idle"] > FORGET:
                await self._redis.xgroup_delconsumer(names.stream(lane), GROUP, consumer["name"])

    async def _create_group(self, lane: Lane, error: ResponseError) -> None:
        """Make the group that Redis says is missing: it is new, or came back empty. Raises any other error again."""
        if not str(error).startswith(("NOGROUP", "UNBLOCKED")):  # it is missing; or went while we waited for an entry
            raise error
        try:
            # from the beginning: what web processes wrote before the group was there is work too
            await self._redis.xgroup_create(names.stream(lane), GROUP, id="0", mkstream=True)
        except ResponseError as raced:
            if not str(raced).startswith("BUSYGROUP"):  # another worker was faster
                raise

    async def _open(self, lane: Lane, entries: Iterable[Entry], deliveries: int) -> list[Claim]:
        """Claims from raw entries; an entry that cannot be read is set aside, whole, since nobody can be told."""
        now = time.time() * 1000
        claims: list[Claim] = []
        for id, fields in entries:
            try:
                reply_to = fields[b"reply"].decode()
                upload = fields.get(b"upload", b"").decode()
                chunk = chunks.decode(fields[b"chunk"]) if upload else None
                jobs = [] if chunk else messages.decode_jobs(fields[b"jobs"])
                known = messages.decode_answer(fields[b"known"]) if b"known" in fields else None
            except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as error:
                payload = fields.get(b"jobs") or fields.get(b"chunk", b"")
                await self._discard(lane, id, payload, f"unreadable entry: {error!r}")
            else:
                queue_ms = max(0, int(now - int(id.partition(b"-")[0])))
                claims.append(Claim(lane, id, reply_to, jobs, deliveries, queue_ms, upload, chunk, known))
        return claims

    async def _discard(self, lane: Lane, id: bytes, payload: bytes, reason: str) -> None:
        log.error("entry %s of the %s lane set aside: %s", id.decode(), lane, reason)
        await finish(self._redis, lane, [id], dead=[DeadLetter(payload, reason, self.name)])
        DEAD_LETTERS.labels(lane).inc()


def _sort(claims: Sequence[Claim], answers: Sequence[list[Answer]]) -> tuple[list[Answered], dict[str, list[Answer]]]:
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


def _plain_step(claims: Sequence[Claim], replies: Mapping[str, list[Answer]]) -> list[Command]:
    """A transaction: publish, then acknowledge and delete."""
    stream, ids = names.stream(claims[0].lane), [claim.id for claim in claims]
    publications: list[Command] = [("PUBLISH", *each) for each in _publications(replies)]
    return [*publications, ("XACK", stream, GROUP, *ids), ("XDEL", stream, *ids)]
