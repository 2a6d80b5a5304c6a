"""Starts, runs and drains a worker: `python -m services.worker`."""

import asyncio
import logging
import os
import secrets
import signal
import sys
import time

import uvloop
from redis.exceptions import ResponseError

from services.broker.connection import PASSING, connect
from services.broker.pulse import Pulse
from services.broker.subscription import Subscription
from services.jobs import names
from services.jobs.names import Lane
from services.runtime import endpoints
from services.runtime.logs import log_to_stderr
from services.runtime.settings import load, refuse
from services.runtime.tasks import end, end_all_others
from services.runtime.watchdog import watch
from services.worker import depth
from services.worker.claims.consumer import Consumer
from services.worker.claims.leases import Leases
from services.worker.compute.child_process import ChildProcess
from services.worker.lanes.isolated import IsolatedLane, Office
from services.worker.lanes.quick import QuickLane
from services.worker.lanes.runs import Runs
from services.worker.prove.keep import Certificates
from services.worker.settings import WorkerSettings

log = logging.getLogger("services.worker")

HOUSEKEEPING = 300  # sweeps, most of them a second apart, between two looks for consumers of workers that are gone


class Worker:
    """One worker: the supervisor of its lanes. It does no long arithmetic, so that leases are always renewed."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._redis = connect(settings)
        # A worker that comes back under the same name must not hold what its former self claimed.
        name = f"{settings.instance}-{os.getpid()}-{secrets.token_hex(4)}"
        self._consumer = Consumer(self._redis, name, settings.lease)
        self._leases = Leases(self._consumer, settings.lease)
        self._quick = QuickLane(self._consumer, self._leases)
        certificates = Certificates(self._redis, settings.certificate_ttl, settings.certificate_memory)
        office = Office(self._consumer, self._leases, Runs(self._redis, name, settings.cache_ttl), certificates)
        most = settings.max_deliveries
        self._orphans = IsolatedLane(Lane.QUICK, office, [self._computer()], most, new=False)
        heavy = [self._computer() for _ in range(settings.heavy_processes)]
        self._heavy = IsolatedLane(Lane.HEAVY, office, heavy, most, new=True)
        provers = [
            ChildProcess(settings.proof_memory, settings.proof_deadline, prove=True) for _ in range(settings.proof_processes)
        ]
        self._proofs = IsolatedLane(Lane.PROOF, office, provers, most, new=True)
        self._isolated = self._orphans, self._heavy, self._proofs
        self._pulse = Pulse(name)
        self._subscription = Subscription(
            self._redis,
            {
                names.bell(Lane.HEAVY): lambda _: self._heavy.bell.ring(),
                names.bell(Lane.PROOF): lambda _: self._proofs.bell.ring(),
                names.CANCELLATIONS: self._leases.hear_cancellation,
                self._pulse.channel: self._pulse.hear,
            },
            settings.redis_timeout,
        )
        self._stop = asyncio.Event()

    def _computer(self) -> ChildProcess:
        return ChildProcess(self._settings.child_memory, self._settings.deadline)

    def ready(self) -> str:
        """What keeps this worker from working; empty if nothing does."""
        if self._stop.is_set():
            return "draining"
        return "" if self._pulse.fresh else "Redis does not answer"

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
        log.info("works as %s, metrics on %d", self._consumer.name, settings.metrics_port)
        async with asyncio.TaskGroup() as tasks:
            lanes = [tasks.create_task(lane.run()) for lane in (self._quick, *self._isolated)]
            hearing = self._subscription.run(), self._pulse.run(self._redis)
            for service in (*hearing, self._leases.renew(), self._sweep(), watch(settings.watchdog)):
                tasks.create_task(service)
            await self._stop.wait()
            await self._drain(lanes)
            await end_all_others()
        await self._redis.aclose()

    async def _sweep(self) -> None:
        """Every second, more often while announcements are lost: find what they or a dead worker left behind, measure the queue."""
        sweeps = 0
        while True:
            started = time.monotonic()
            for lane in self._isolated:
                lane.sweep()
            try:
                await depth.measure(self._redis)
                if sweeps % HOUSEKEEPING == 0:
                    for each in Lane:
                        await self._consumer.forget_the_dead(each)
            except PASSING as error:
                log.warning("could not sweep, will try again: %s", error)
            sweeps += 1
            await self._pulse.rest(started)

    async def _drain(self, lanes: list[asyncio.Task[None]]) -> None:
        """Claim nothing more, finish what is held, give back what is not finished in time."""
        log.info("draining: %d entries are held", len(self._leases.held))
        self._quick.stop()
        for lane in self._isolated:
            lane.bell.stop()
        _, unfinished = await asyncio.wait(lanes, timeout=self._settings.drain)
        left = self._leases.held
        await end(unfinished)
        if left:
            log.warning("giving back %d entries that were not finished in %g s", len(left), self._settings.drain)
            try:
                await self._consumer.give_back(left)
            except (*PASSING, ResponseError) as error:  # no group: Redis lost them, and their web processes know
                log.warning("could not give them back, their leases will run out: %s", error)


def main() -> None:
    """Read the settings and work."""
    settings = load(WorkerSettings, "python -m services.worker", sys.argv[1:])
    log_to_stderr(settings)
    uvloop.run(start(settings))


async def start(settings: WorkerSettings) -> None:
    """Everything that needs the event loop."""
    await Worker(settings).run()


if __name__ == "__main__":
    main()
