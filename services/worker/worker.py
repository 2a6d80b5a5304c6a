"""One worker: its parts, put together; it starts them, sweeps, and drains."""

import asyncio
import logging
import os
import secrets
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

from services.access.probes import probes
from services.broker import term
from services.broker.client import BrokerClient
from services.broker.connection import PASSING, Client, connect
from services.broker.pulse import Pulse
from services.broker.rights import Rights
from services.broker.subscription import Subscription
from services.jobs import names, turn
from services.jobs.messages import decode_jobs, decode_traced_jobs
from services.jobs.names import Lane
from services.runtime import endpoints, telemetry
from services.runtime.settings import refuse
from services.runtime.tasks import Parts, end, end_all_others
from services.runtime.vigil import Steps, Vigil
from services.runtime.watchdog import watch
from services.worker import depth
from services.worker.claims import group
from services.worker.claims.entries import ReadJobs
from services.worker.claims.finishing import Finishing
from services.worker.claims.leases import Leases
from services.worker.claims.opening import Opening
from services.worker.claims.outcomes import Outcomes
from services.worker.claims.reader import Reader
from services.worker.claims.renewal import Renewal
from services.worker.claims.takeover import Takeover
from services.worker.compute.child_process import ChildProcess
from services.worker.lanes.attempts import Attempts
from services.worker.lanes.child_answers import ChildAnswers
from services.worker.lanes.child_lane import ChildLane, SparedBy
from services.worker.lanes.quick import ComputeBatch, QuickLane, compute_batch
from services.worker.lanes.quick_proofs import QuickProofs
from services.worker.lanes.runs import Runs
from services.worker.parts.board import Board
from services.worker.parts.coordinator import Coordinator
from services.worker.parts.keep import Chains
from services.worker.parts.lane import PartLane
from services.worker.parts.part_process import PartProcess
from services.worker.prove.keep import Certificates
from services.worker.settings import WorkerSettings

if TYPE_CHECKING:
    from services.runtime.tracing import Tracing

log = logging.getLogger("services.worker")

HOUSEKEEPING = 300  # sweeps, most of them a second apart, between two looks for consumers of workers that are gone


class _Traceable(NamedTuple):
    """What there is twice: with tracing, and without it."""

    read_jobs: ReadJobs
    compute_batch: ComputeBatch
    attempts: Attempts
    runs: Runs


def _trace(settings: WorkerSettings, redis: Client, name: str) -> "tuple[Tracing | None, _Traceable]":
    """The way of spans to their collector, and what makes them; nothing of it is imported where nothing is traced."""
    if not settings.traces:
        attempts = Attempts(redis, settings.max_deliveries, name)
        return None, _Traceable(decode_jobs, compute_batch, attempts, Runs(redis, name, settings.cache_ttl))
    tracing = telemetry.trace(settings.traces, "worker", name)
    from services.worker.tracing.lanes import TracedAttempts, TracedBatches, TracedRuns  # noqa: PLC0415
    from services.worker.tracing.spans import Spans  # noqa: PLC0415

    spans = Spans(tracing.tracer)
    attempts = TracedAttempts(redis, settings.max_deliveries, name, spans)
    runs = TracedRuns(redis, name, settings.cache_ttl, spans)
    return tracing, _Traceable(decode_traced_jobs, TracedBatches(spans), attempts, runs)


class Worker:
    """The supervisor of its lanes. It does no long arithmetic, so that leases are always renewed."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._redis = redis = connect(settings, term.begin)
        # A worker that comes back under the same name must not hold what its former self claimed.
        self._name = name = f"{settings.instance}-{os.getpid()}-{secrets.token_hex(4)}"
        broker = BrokerClient(redis)  # for quick entries, which are read and finished on it in turn
        self._tracing, parts = _trace(settings, redis, name)
        opening = Opening(redis, name, parts.read_jobs)
        reader = Reader(redis, broker, name, opening)
        self._takeover = Takeover(redis, name, settings.lease, opening)
        self._leases = Leases()
        outcomes = Outcomes(redis, self._leases)
        self._renewal = Renewal(redis, name, settings.lease, self._leases, outcomes)
        finishing = Finishing(redis, broker, self._leases, name)
        certificates = Certificates(redis, settings.certificate_ttl, settings.certificate_memory)
        proofs = QuickProofs(settings.child_memory, certificates)
        self._quick = QuickLane(reader, self._leases, finishing, outcomes, proofs, compute_batch=parts.compute_batch)
        self._attempts = parts.attempts
        answers = ChildAnswers(
            self._attempts,
            finishing,
            outcomes,
            parts.runs,
            certificates,
        )
        board = Board(redis)
        self._coordinator = Coordinator(board, Chains(redis), name)
        self._parts = PartLane(board, [PartProcess(settings.proof_memory) for _ in range(settings.part_processes)], name)
        given = self._leases, self._takeover
        self._orphans = ChildLane(Lane.QUICK, _computing(settings, 1), *given, reader=None, answers=answers)  # of workers that died
        self._heavy = ChildLane(Lane.HEAVY, _computing(settings, settings.heavy_processes), *given, reader=reader, answers=answers)
        self._proofs = ChildLane(Lane.PROOF, self._proving(settings.proof_processes), *given, reader=reader, answers=answers)
        self._child_lanes: list[ChildLane] = [self._orphans, self._heavy, self._proofs]
        for lane, most, children in (
            (self._heavy, turn.SHORT, _computing(settings, settings.short_processes)),
            (self._proofs, turn.SHORT_PROOF, self._proving(settings.short_proof_processes)),
        ):
            if children:
                spared = SparedBy(lane, most)
                short = ChildLane(lane.lane, children, *given, reader=reader, answers=answers, spared_by=spared)
                self._child_lanes.append(short)
        self._rights = Rights(connect(settings), probes("worker"))
        self._pulse = Pulse(name)
        self._subscription = self._subscribe()
        self._sweeping = Steps("sweep")
        of_proofs = self._coordinator.steps, self._parts.steps
        steps = (self._quick.steps, *(lane.steps for lane in self._child_lanes), *of_proofs, self._renewal.steps, self._sweeping)
        self._vigil = Vigil(steps, excused=lambda: self._stop.is_set() or not self._pulse.fresh)
        self._stop = asyncio.Event()

    def _proving(self, count: int) -> list[ChildProcess]:
        settings, in_parts = self._settings, self._coordinator.prove
        return [ChildProcess(settings.proof_memory, settings.proof_deadline, prove=True, in_parts=in_parts) for _ in range(count)]

    def _subscribe(self) -> Subscription:
        hearers = {
            names.bell(Lane.HEAVY): lambda _: self._ring(Lane.HEAVY),
            names.bell(Lane.PROOF): lambda _: self._ring(Lane.PROOF),
            names.PARTS_BELL: lambda _: self._parts.bell.ring(),
            names.outcomes(self._name): self._coordinator.hear,
            names.CANCELLATIONS: self._leases.hear_cancellation,
            self._pulse.channel: self._pulse.hear,
        }
        return Subscription(self._redis, hearers, self._settings.redis_timeout, self._pulse.listen_anew)

    def _ring(self, rung: Lane) -> None:
        """Entries of a lane wait."""
        for each in self._child_lanes:
            if each.lane is rung:
                each.bell.ring()

    def ready(self) -> str:
        """What keeps this worker from working; empty if nothing does."""
        if self._stop.is_set():
            return "draining"
        return self._rights.obstacle or (self._vigil.obstacle if self._pulse.fresh else "Redis does not answer")

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT, then drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        settings = self._settings
        try:
            endpoints.serve(settings.metrics_port, settings.metrics_address, "worker", self.ready)
        except OSError as error:
            refuse("python -m services.worker", [f"--metrics-port {settings.metrics_port}: {error.strerror}"])
        log.info("works as %s, metrics on %d", self._name, settings.metrics_port)
        async with Parts() as tasks:
            tasks.create_task(watch(settings.watchdog))
            if await self._rights.wait(self._stop):
                await self._work(tasks)
            await end_all_others()
        await self._redis.aclose()
        if self._tracing is not None:
            await self._tracing.close()

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        """Take entries and answer them, until it is told to stop."""
        runs = self._quick.run(), self._parts.run(), *(lane.run() for lane in self._child_lanes)
        lanes = [tasks.create_task(run) for run in runs]
        hearing = self._subscription.run(), self._pulse.run(BrokerClient(self._redis))
        for service in (*hearing, self._redis.follow(), self._renewal.run(), self._sweep(), self._vigil.run()):
            tasks.create_task(service)
        await self._stop.wait()
        await self._drain(lanes)

    async def _sweep(self) -> None:
        """Every second, more often while announcements are lost: find what they or a dead worker left behind, measure the queue."""
        sweeps = 0
        while True:
            started = time.monotonic()
            self._sweeping.step()
            for lane in self._child_lanes:
                lane.sweep()
            self._parts.sweep()
            try:
                await depth.measure(self._redis)
                await self._attempts.excuse()
                if sweeps % HOUSEKEEPING == 0:
                    for each in Lane:
                        await group.forget_the_dead(self._redis, each)
            except PASSING as error:
                log.warning("could not sweep, will try again: %s", error)
            sweeps += 1
            await self._pulse.rest(started)

    async def _drain(self, lanes: list[asyncio.Task[None]]) -> None:
        """Claim nothing more, finish what is held, give back what is not finished in time."""
        log.info("draining: %d entries are held", len(self._leases.claims))
        self._quick.stop()
        self._parts.bell.stop()
        for lane in self._child_lanes:
            lane.bell.stop()
        _, unfinished = await asyncio.wait(lanes, timeout=self._settings.drain)
        left = self._leases.claims
        await end(unfinished)
        if left:
            log.warning("giving back %d entries that were not finished in %g s", len(left), self._settings.drain)
            try:
                await self._takeover.give_back(left)
                await self._attempts.excuse()
            except PASSING as error:
                log.warning("could not give them back, their leases will run out: %s", error)


def _computing(settings: WorkerSettings, count: int) -> list[ChildProcess]:
    return [ChildProcess(settings.child_memory, settings.deadline) for _ in range(count)]
