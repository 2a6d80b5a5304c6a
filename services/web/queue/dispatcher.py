"""Carries jobs from the ledger to Redis and answers back to whoever waits for them."""

import asyncio
import logging
import time
from collections import Counter as Counts
from collections import deque
from collections.abc import Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import redis.asyncio
from prometheus_client import Counter, Gauge

from services.broker.client import BrokerClient
from services.broker.connection import PASSING, Backoff
from services.broker.finish import finish
from services.broker.pulse import INTERVAL, Pulse
from services.broker.script import LEAVE_RUN, WAITING, Script
from services.broker.subscription import Subscription
from services.jobs import messages, names
from services.jobs.messages import Answer, Asker, Fault, Job, Verdict
from services.jobs.names import Lane
from services.runtime.cheap_metrics import BatchHistogram
from services.runtime.logs import about, veil
from services.web.ask.question import Question
from services.web.queue.commit_delay import CommitDelay
from services.web.queue.ledger import Answered, Busy, Entry, Ledger, Pending, Place
from services.web.settings import WebSettings
from services.web.upload.uploads import Uploads
from services.web.v1.session import Session
from services.web.v1.sessions import Sessions

log = logging.getLogger(__name__)

SUBMITTED = Counter("primes_web_jobs_submitted_total", "Jobs accepted from clients", ["lane"])
ANSWERED = Counter("primes_web_jobs_answered_total", "Answers given, each job once", ["lane", "verdict"])
REPEATED = Counter("primes_web_answers_repeated_total", "Answers to jobs that were answered already, dropped")
JOINED = Counter(
    "primes_web_jobs_joined_total", "Costly jobs that needed no computation of their own, by what they found", ["found"]
)
RESENT = Counter("primes_web_jobs_resent_total", "Jobs written to Redis again: its data, or the answer, was lost", ["lane"])
CANCELLED = Counter("primes_web_jobs_cancelled_total", "Jobs that nobody waited for any more")
REFUSED = Counter("primes_web_jobs_refused_total", "Jobs refused, by reason", ["reason"])
PENDING = Gauge("primes_web_jobs_pending", "Jobs accepted and not yet answered", ["lane"])
BATCH = BatchHistogram("primes_web_batch_jobs", "Jobs in one stream entry", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256))
DURATION = BatchHistogram(
    "primes_web_job_seconds",
    "From acceptance to answer, in the web process",
    ["lane"],
    # from an idle service's two milliseconds to the longest job's minutes
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300),
)

FAILED = (Fault.POISON, Fault.LOST)  # faults of ours, one label; the others are the client's wish, number or limit, each its own
OUTCOMES = [*Verdict, "failed", *(fault.value for fault in Fault if fault not in FAILED)]
_submitted = {lane: SUBMITTED.labels(lane) for lane in Lane}
_answered = {(lane, outcome): ANSWERED.labels(lane, outcome) for lane in Lane for outcome in OUTCOMES}
_resent = {lane: RESENT.labels(lane) for lane in Lane}
_duration = {lane: DURATION.labels(lane) for lane in Lane}
_refused_busy = REFUSED.labels("busy")
_joined = {found: JOINED.labels(found) for found in ("joined", "known")}

UNWANTED = 10_000  # entries to be deleted that wait for Redis at most; what is forgotten is computed in vain
DELETED = 100  # entries deleted in one step: bounds how long Redis serves nobody else

AUDIT_AGE = 1.0  # seconds after which an entry is looked for: most are answered by then

_scripts = Path(__file__).parent / "scripts"
_enqueue = Script(WAITING, _scripts / "enqueue.lua")
_leave = Script(LEAVE_RUN, _scripts / "leave_runs.lua")
_audit = Script(_scripts / "audit.lua")


class Found(NamedTuple):
    """What enqueue.lua says of an entry."""

    place: Place
    how: str  # "": it is new; "joined": another's run; "known": the answer is kept
    so_far: bytes  # MessagePack of what is known of a number that is being proven

    @classmethod
    def read(cls, reply: list[bytes]) -> "Found":
        """From the script's reply to a question."""
        lane, id, how, so_far = reply
        return cls(Place(Lane(lane.decode()), id), how.decode(), so_far)


class Dispatcher:
    """At-least-once: each accepted job is written until its answer came, and answered once to its client.

    Group commit: while one write is under way the next entries collect, so a lone job goes at once and a busy process
    writes few, large entries. One write at a time and lane costs throughput on a slow network, for order and simplicity.
    """

    def __init__(self, redis: redis.asyncio.Redis, settings: WebSettings) -> None:
        self._redis = redis
        self._broker = BrokerClient(redis)  # for what every job costs
        # A process that comes back under the same name must not take the answers of its former self for its own.
        self.reply_to = f"{settings.instance}-{time.time_ns():x}"
        self._most_entries = settings.max_queued_entries
        self._gather = settings.gather
        self._ledger = Ledger(settings.max_pending)
        self._unwritten = {lane: asyncio.Event() for lane in Lane}
        self._writing = {lane: asyncio.Lock() for lane in Lane}  # held while it is not known which entries Redis has
        self._unwanted: deque[Entry] = deque()  # entries to be deleted
        self._forsaken = asyncio.Event()  # set when there are some
        self.pulse = Pulse(self.reply_to)
        self.sessions = Sessions(redis, settings, self.reply_to, lambda answer: self._settle([answer]))
        self.uploads = Uploads(redis, settings, self.reply_to)
        self._subscription = Subscription(
            redis,
            {
                names.results(self.reply_to): self._hear_answers,
                names.deliveries(self.reply_to): self._hear_deliveries,
                names.evictions(self.reply_to): self.sessions.hear_eviction,
                names.notices(self.reply_to): self.uploads.hear,
                names.PROMOTIONS: self._hear_promotion,
                self.pulse.channel: self.pulse.hear,
            },
            settings.redis_timeout,
        )
        for lane in Lane:
            PENDING.labels(lane).set_function(partial(self._count_pending, lane))

    def submit(self, question: Question, asker: Asker, answered: Answered, noted: Answered | None = None) -> int:
        """Queue a question; `answered` is called once, `noted` with what is known before the answer, while a proof is made.

        Returns the job's id. Raises Busy. A session's answer comes to its client by `sessions`; `answered` only says that this
        process is done with the job.
        """
        try:
            pending = self._ledger.accept(question, asker, answered, noted)
        except Busy:
            _refused_busy.inc()
            raise
        self._unwritten[pending.lane].set()
        return pending.job.id

    def forsake(self, jobs: Iterable[int]) -> None:
        """Nobody waits for these jobs any more: those that wait are not begun, a costly one that runs is stopped."""
        before = len(self._ledger)
        self._delete(self._ledger.cancel(jobs))
        CANCELLED.inc(before - len(self._ledger))

    async def cancel(self, session: Session, request: str) -> bool:
        """Answer a session's request with the fault CANCELLED and stop its computation; False if it is answered already.
        Raises what the Redis client raises.
        """
        flight = session.in_flight.get(request)
        if flight is None:
            return False
        pending = self._ledger.get(flight.job) if flight.job is not None else None
        if pending is not None:
            return await self._end(pending, Fault.CANCELLED)
        return await self.sessions.end(session.token, request, Fault.CANCELLED)

    async def _end(self, pending: Pending, fault: Fault) -> bool:
        """Answer a session's job with this fault; returns whether it had no other answer."""
        if pending.entry is not None and not pending.entry.id:
            async with self._writing[pending.lane]:
                pass  # now it is known whether Redis has it
        if pending.entry is not None:
            return await self.sessions.end(pending.job.session, pending.job.request, fault)
        self._give_up([Answer(pending.job.id, Verdict.UNKNOWN, fault=fault)])
        return True

    def _count_pending(self, lane: Lane) -> int:
        return self._ledger.lanes[lane].pending

    async def run(self) -> None:
        """Write, listen and audit until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in Lane:
                tasks.create_task(self._write_entries(lane), name=f"write {lane}")
            tasks.create_task(self._subscription.run(), name="listen")
            tasks.create_task(self.pulse.run(self._broker), name="pulse")
            tasks.create_task(self.sessions.run(), name="fetch missed answers")
            tasks.create_task(self._audit_entries(), name="audit")
            tasks.create_task(self._end_expired(), name="expire")
            tasks.create_task(self._delete_unwanted(), name="delete unwanted")
            tasks.create_task(self.sessions.report(), name="report progress")
            tasks.create_task(self.uploads.run(), name="uploads")

    def handed_over(self) -> bool:
        """Whether Redis holds whatever sessions wait for, and nothing that nobody wants: this process is not needed any more."""
        return self._ledger.handed_over and not self._unwanted

    async def _write_entries(self, lane: Lane) -> None:
        """Write one lane's entries, one write at a time, for as long as it takes."""
        backoff = Backoff()
        waiting = self._unwritten[lane]
        counted = 0  # of the jobs accepted
        loop, gathering = asyncio.get_running_loop(), CommitDelay(self._gather)
        while True:
            await waiting.wait()
            if (rest := gathering.rest(loop.time())) > 0:
                await asyncio.sleep(rest)
            accepted = self._ledger.lanes[lane].accepted
            _submitted[lane].inc(accepted - counted)
            counted = accepted
            async with self._writing[lane]:
                entries = self._ledger.take(lane)
                gathering.note(loop.time(), sum(len(entry.jobs) for entry in entries))
                found = await self._write(lane, entries) if entries else []
                self._delete(self._ledger.written(lane, entries, [each.place for each in found]))
            if not entries:
                waiting.clear()
            elif len(found) < len(entries):
                await asyncio.sleep(backoff.next())
            else:
                backoff.reset()
            BATCH.observe_all([len(entry.jobs) for entry in entries[: len(found)]])
            for entry, each in zip(entries, found, strict=False):
                if each.how:
                    self._note_joined(entry, each)

    async def _write(self, lane: Lane, entries: list[Entry]) -> list[Found]:
        """One write; tells of the entries that it took: not of all when the queue is full, of none when Redis is away."""
        batches = [messages.encode(entry.jobs) for entry in entries]
        questions, askers = self._ask(lane, entries)
        keys, marks = self.sessions.mark(entries, self._ledger.since)
        try:
            found = await _enqueue(
                self._broker,
                [names.stream(lane), names.stream(Lane.QUICK), *questions, *keys],
                *(names.GROUP, names.bell(lane), self._most_entries, self.reply_to, self.sessions.lifetime),
                *(names.ASKERS_OF, names.ASKERS, names.QUESTION_TTL, names.certificate("")),
                *(len(batches), len(questions), *batches, *askers, *marks),
            )
        except PASSING as error:
            log.warning("could not write %d entries to the %s lane, will try again: %s", len(entries), lane, error)
            return []
        if len(found) < len(entries):
            log.warning("the %s lane is full (%d entries), will try again", lane, self._most_entries)
        return [Found(Place(lane, id), "", b"") for id in found] if lane is Lane.QUICK else [Found.read(reply) for reply in found]

    def _ask(self, lane: Lane, entries: list[Entry]) -> tuple[list[str], list[int | bytes]]:
        """Keys and arguments by which enqueue.lua finds who asked the same before; none for quick jobs, which are cheaper."""
        if lane is Lane.QUICK:
            return [], []
        jobs = [entry.jobs[0] for entry in entries]
        askers = [part for job in jobs for part in (job.id, messages.encode(Asker(job.session, job.request, job.expires)))]
        return [names.question(messages.digest(job)) for job in jobs], askers

    def _note_joined(self, entry: Entry, found: Found) -> None:
        """A costly job waits for another's run, or its answer is known."""
        _joined[found.how].inc()
        if found.so_far:
            self._note(entry.jobs[0].id, messages.decode_answer(found.so_far))

    def _note(self, job: int, answer: Answer) -> None:
        """Tell the client of a pending job what is known before its answer."""
        pending = self._ledger.get(job)
        if pending is None:
            return
        if pending.noted is not None:
            pending.noted(answer)
        if pending.job.session:
            self.sessions.note(pending.job.session, pending.job.request, answer)

    def _hear_promotion(self, payload: bytes) -> None:
        """A number passed its tests and is being proven: its run is in another lane, and its clients get a first answer."""
        try:
            promotion = messages.decode_promotion(payload)
        except msgspec.DecodeError:
            log.exception("could not read a promotion of %d bytes", len(payload))  # the audit finds the entry gone
            return
        place = Place(Lane.PROOF, promotion.entry.encode())
        for field, asker in promotion.askers:
            web, _, job = field.partition(" ")
            if web == self.reply_to:
                self._follow(int(job), place, promotion.answer)
            elif asker.session:
                self.sessions.note(asker.session, asker.request, promotion.answer)

    def _follow(self, job: int, place: Place, answer: Answer) -> None:
        """One of our jobs is at another place now."""
        if self._ledger.moved(job, place) is None:  # it was cancelled while that was not known
            self._delete([Entry(place.lane, [Job(job, "")], 0, id=place.id)])
        self._note(job, answer)

    def _hear_answers(self, payload: bytes) -> None:
        """Give each answer of one publication to whoever asked."""
        try:
            answers = messages.decode_answers(payload)
        except msgspec.DecodeError:
            # The audit finds the jobs missing and sends them again; a worker that always writes this is a bug to be seen.
            log.exception("could not read a publication of %d bytes", len(payload))
            return
        self._settle(answers)

    def _hear_deliveries(self, payload: bytes) -> None:
        """Close the jobs of this process that the answers are to, then hand them to the sessions."""
        try:
            deliveries = messages.decode_deliveries(payload)
        except msgspec.DecodeError:
            log.exception("could not read a delivery of %d bytes", len(payload))  # the audit finds the answers missing
            return
        self._settle([delivery.answer for delivery in deliveries if delivery.reply_to == self.reply_to])
        self.sessions.hear(deliveries)

    def _settle(self, answers: list[Answer]) -> None:
        """Close these jobs, and tell their clients."""
        now = time.monotonic()
        settle = self._ledger.settle
        durations: dict[Lane, list[float]] = {lane: [] for lane in Lane}
        outcomes: list[tuple[Lane, str]] = []
        tells = log.isEnabledFor(logging.DEBUG)
        for answer in answers:
            pending = settle(answer)
            if pending is None:
                REPEATED.inc()
                continue
            outcomes.append((pending.lane, outcome(answer)))
            durations[pending.lane].append(now - pending.accepted)
            if tells:
                log.debug("answered", extra=self._about(pending, answer, now))
            pending.answered(answer)
        for each, number in Counts(outcomes).items():
            _answered[each].inc(number)
        for lane, seconds in durations.items():
            if seconds:
                _duration[lane].observe_all(seconds)

    def _about(self, pending: Pending, answer: Answer, now: float) -> dict[str, object]:
        ids = {"request": pending.job.request, "session": veil(pending.job.session), "job": f"{self.reply_to}/{answer.id}"}
        return about(**ids, lane=pending.lane, outcome=outcome(answer), ms=round((now - pending.accepted) * 1000, 3))

    def _give_up(self, answers: list[Answer]) -> None:
        """Close these jobs, of which Redis knows nothing (any more), and tell their clients."""
        sessions = [(p.job.session, p.job.request, a.fault) for a in answers if (p := self._ledger.get(a.id)) and p.job.session]
        self._settle(answers)
        for session, request, fault in sessions:
            assert fault is not None  # a job that is given up has a reason
            self.sessions.give_up(session, request, fault)

    def _delete(self, entries: list[Entry]) -> None:
        """Delete these entries soon."""
        if entries:
            self._unwanted += entries[: UNWANTED - len(self._unwanted)]
            self._forsaken.set()

    async def _delete_unwanted(self) -> None:
        """Delete entries that nobody wants, and have their computation stopped, until cancelled."""
        backoff = Backoff()
        while True:
            await self._forsaken.wait()
            self._forsaken.clear()
            while self._unwanted:
                some = list(islice(self._unwanted, DELETED))
                try:
                    for lane in {entry.lane for entry in some}:
                        await self._delete_from(lane, [entry for entry in some if entry.lane is lane])
                    for _ in some:
                        self._unwanted.popleft()
                    backoff.reset()
                except PASSING as error:
                    log.warning("could not delete %d unwanted entries, will try again: %s", len(some), error)
                    await asyncio.sleep(backoff.next())

    async def _delete_from(self, lane: Lane, entries: list[Entry]) -> None:
        """Delete quick entries; leave the runs of costly ones, which go on if others wait for them."""
        if lane is Lane.QUICK:
            await finish(self._redis, lane, [entry.id for entry in entries])
            return
        askers = [names.askers(lane, entry.id.decode()) for entry in entries]
        leaving = [part for entry in entries for part in (entry.id, names.asker(self.reply_to, entry.jobs[0].id))]
        whose = names.GROUP, names.CANCELLATIONS, lane, names.question("")
        await _leave(self._redis, [names.stream(lane), *askers], *whose, *leaving)

    async def _end_expired(self) -> None:
        """Every second, answer sessions' jobs whose time is over before a worker did, and forget others', until cancelled."""
        while True:
            try:
                for pending in self._ledger.expired():
                    if pending.job.session:
                        await self._end(pending, Fault.DEADLINE)
                    else:  # whoever waited for it had a clock of his own
                        self.forsake([pending.job.id])
            except PASSING as error:
                log.warning("could not answer jobs whose time is over, will try again: %s", error)
            await asyncio.sleep(INTERVAL)

    async def _audit_entries(self) -> None:
        """Every second, look for entries that left the stream without an answer, and send their jobs again.

        Pub/sub may drop an answer and Redis may lose its data; either way the entry is gone and the job still pending.
        The pulse is the barrier: an entry is gone only after its answers were published, so once a later beat is heard
        those answers have been heard too, or never will be.
        """
        gone: list[tuple[Lane, list[Entry]]] = []  # found after beat `before`; kept until a later one is heard
        before = 0
        while True:
            started = time.monotonic()
            try:
                if not gone:
                    gone = [(lane, entries) for lane in Lane if (entries := await self._find_gone(lane))]
                    before = self.pulse.sent
                touched = await self.sessions.touch()
                heard = await self.pulse.pass_by(before)
                await self.sessions.catch_up(touched)  # first: what the history has is not sent again
                if heard:
                    for lane, entries in gone:
                        self._send_again(lane, entries)
                    gone = []
            except PASSING as error:
                log.warning("could not audit pending jobs, will try again: %s", error)
            await self.pulse.rest(started)

    async def _find_gone(self, lane: Lane) -> list[Entry]:
        """Entries with pending jobs that the lane's stream no longer holds."""
        due = self._ledger.due(lane, AUDIT_AGE)
        if not due:
            return []
        gone = set(await _audit(self._redis, [names.stream(lane)], *(entry.id for entry in due)))
        return [entry for entry in due if entry.id in gone]

    def _send_again(self, lane: Lane, entries: list[Entry]) -> None:
        """Queue what is still pending of these entries once more."""
        again, given_up = self._ledger.lost(entries)
        if given_up:
            log.error("giving up %d jobs of the %s lane: their entries vanished again and again", len(given_up), lane)
            self._give_up(given_up)
        if again:
            log.warning("sending %d jobs of the %s lane again: their entries are gone, their answers did not come", again, lane)
            _resent[lane].inc(again)
            self._unwritten[lane].set()


def outcome(answer: Answer) -> str:
    """How the metrics call it."""
    if answer.fault is None:
        return answer.verdict
    return "failed" if answer.fault in FAILED else answer.fault
