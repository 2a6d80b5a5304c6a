"""One history from its plan to its verdict."""

import asyncio
import gc
import hashlib
import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import gmpy2

from services.jobs import names
from services.jobs.names import GROUP, Lane
from services.runtime import vigil
from services.web.settings import WebSettings
from tests import leftovers
from tests.simulation import clock
from tests.simulation.broker import Broker
from tests.simulation.children import Children
from tests.simulation.client import Client
from tests.simulation.loop import Loop, begin_anew
from tests.simulation.network import Network
from tests.simulation.plain_client import PlainClient
from tests.simulation.plan import Fault, Plan
from tests.simulation.processes import DEADLINE, LEASE, Process, WebProcess, WorkerProcess
from tests.simulation.real_redis import RealRedis
from tests.simulation.resp import Command
from tests.simulation.sockets import DELAY, ClientSocket
from tests.simulation.upload_client import Handler, UploadClient
from tests.simulation.verdict import AnyClient, judge_client, judge_other
from tests.simulation.world import Endless, World

PATIENCE = (
    40.0  # seconds without any answer, once all is healed, after which what is open is lost: some leases and long computations
)
QUIET = 20.0  # seconds after the last answer in which everything must be cleared away; a child may hang at its start for 15
END_OF_STILL = vigil.STILL + vigil.END + 2 * vigil.LOOK  # seconds until a process ends of which a part stands still
HEALTHY = 6.0  # seconds in which processes find each other and Redis again
TOLD = 2.0  # seconds in which a socket is told that its session went to another
SEPARATE = frozenset(
    {"deaf", "cut", "stop", "stall", "away", "demote", "kill", "term"}
)  # faults by which that may be lost, or late
SESSION_TTL: int = WebSettings.model_fields["session_ttl"].default  # seconds
CALM = 3.0  # seconds before the probe in which every part comes back to its usual pace
PROBE = 30.0  # seconds in which each worker must answer what is costly
LOOK = 0.25  # seconds between two looks at what is open
TICK = 0.25  # seconds between two looks
RESTART = 0.5  # seconds until a process that ended by itself is started again
COSTLY = 1.5  # seconds that a probe's computation takes: so long that no child takes two
PROBED = 4  # of so many histories one is probed, which takes as long as the rest of it; of those with one child a lane


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a history."""

    violations: list[str]
    virtual: float  # seconds that it lasted
    turns: int
    digest: str  # of everything that Redis was told, and when
    commands: int

    @property
    def kinds(self) -> set[str]:
        """The violations without what differs from history to history."""
        return {violation.partition(":")[0] for violation in self.violations}


class History:
    """Puts the parts together, lets the plan happen, heals everything, and looks at what is left."""

    def __init__(self, plan: Plan, real: RealRedis, tell: Callable[[str], None] | None = None) -> None:
        """`tell`: given each thing that happens, in words."""
        self._plan = plan
        self._real = real
        self._tell = tell
        begin_anew()
        self.world = world = World(plan.seed, plan.pace)
        self._broker = Broker(world, real, plan.seed)
        self._children = Children(world, plan.seed, plan.slowness)
        network = Network(self._broker, self._children)
        self._webs = [WebProcess(world, network, f"web-{i}", self._surprise) for i in range(plan.webs)]
        self._workers = [
            WorkerProcess(world, network, f"worker-{i}", self._surprise, plan.children, plan.spared) for i in range(plan.workers)
        ]
        self._processes: dict[str, Process] = {each.name: each for each in (*self._webs, *self._workers)}
        self._outside = Loop(world, "clients", network, lambda context: self._complain(f"client: {context}"))
        sessions = plan.clients - plan.plain
        self._sessions = [Client(world, index, plan.seed, self._connect) for index in range(sessions)]
        self._plain = [PlainClient(world, index, plan.seed, self._connect_plainly) for index in range(sessions, plan.clients)]
        uploading = range(plan.clients, plan.clients + plan.uploading)
        self._uploading = [UploadClient(world, index, plan.seed, self._request) for index in uploading]
        self._clients: list[AnyClient] = [*self._sessions, *self._plain, *self._uploading]
        self._violations: list[str] = []
        self._losses: list[float] = []  # when Redis came back without some of its data, or let go of it
        self._digest = hashlib.sha256()
        self._commands = 0
        self._slots = 0
        self._healed = False
        self._broker.observe = self._observe

    def run(self) -> Outcome:
        """From its beginning to its end."""
        with clock.owned(self._plan.seed, self.world.elapsed, self.world.skew):
            try:
                self._run()
            except Endless as error:
                self._complain(f"endless: {error}")
            finally:
                for process in self._processes.values():
                    process.loop.kill()
                self._outside.kill()
        return Outcome(self._violations, self.world.now, self.world.turns, self._digest.hexdigest()[:16], self._commands)

    def _run(self) -> None:
        for process in self._processes.values():
            process.start()
        for client in self._clients:
            self._start(client)
        for step in self._plan.steps:
            self.world.at(step.at, lambda step=step: self._outside.enter(self._clients[step.client].do, step))  # type: ignore[misc]
        for fault in self._plan.faults:
            self._arrange(fault)
        self.world.run(self._plan.length)
        self._heal()
        self._wait_for_answers()
        for client in self._sessions:
            self._violations += judge_client(client, self._plan, self._losses)
        for other in (*self._plain, *self._uploading):
            self._violations += judge_other(other, self._plan)
        if not self._violations and SEPARATE.isdisjoint(fault.kind for fault in self._plan.faults):
            self._look_for_holders()
        if not self._violations and not self._await(QUIET + self._still() + self._hung(), lambda: not self._leftovers()):
            self._violations += self._leftovers()
        if not self._violations and self._plan.seed % PROBED == 0 and self._plan.children == 1 and not self._plan.spared:
            self.world.run(self.world.now + CALM)
            self._probe()

    def _wait_for_answers(self) -> None:
        """Until all is asked and answered, or no answer came for long."""
        self.world.run(max((step.at for step in self._plan.steps), default=0.0) + LOOK)
        missing, since = -1, self.world.now
        while missing and self.world.now < since + PATIENCE:
            left = sum(len(client.waiting) for client in self._clients)
            if left != missing:
                missing, since = left, self.world.now
            self.world.run(self.world.now + LOOK)
            self._look_for_overdue()

    def _start(self, client: AnyClient) -> None:
        self._outside.enter(lambda: self._outside.create_task(client.run()))

    def _connect_plainly(self, chance: Random) -> ClientSocket | None:
        return self._connect(chance, plain=True)

    def _connect(self, chance: Random, *, plain: bool = False) -> ClientSocket | None:
        socket = ClientSocket(self.world, self._outside, chance, plain=plain)
        return socket if chance.choice(self._webs).open(socket) else None

    def _request(self, chance: Random, handler: Handler) -> "asyncio.Future[Any]":
        """Have a web process handle a request over HTTP."""
        web, replied = chance.choice(self._webs), self._outside.create_future()

        def reply(value: Any) -> None:
            self.world.push(self.world.now + chance.uniform(*DELAY), self._outside, asyncio.Handle(settle, (value,), self._outside))

        def settle(value: Any) -> None:
            if not replied.done():
                replied.set_result(value)

        if not web.request(handler, reply):
            reply(None)
        return replied

    def _await(self, seconds: float, condition: Callable[[], bool]) -> bool:
        until = self.world.now + seconds
        while not condition():
            if self.world.now >= until:
                return False
            self.world.run(self.world.now + TICK)
        return True

    # faults

    def _arrange(self, fault: Fault) -> None:
        world, broker = self.world, self._broker
        if fault.kind == "away" and fault.mode == "back":
            self._slots += 1
            slot = self._slots
            world.at(max(0.0, fault.at - fault.amount), lambda: broker.save(slot))
            world.at(fault.at, lambda: self._befall(fault, slot))
        else:
            world.at(fault.at, lambda: self._befall(fault, 0))

    def _befall(self, fault: Fault, slot: int) -> None:
        if self._healed:
            return
        self._say(f"{fault.kind} {fault.target} {fault.mode} for {fault.seconds:.3f} s")
        if fault.target:
            self._befall_process(fault, self._processes[fault.target])
        else:
            self._befall_redis(fault, slot)

    def _befall_process(self, fault: Fault, process: Process) -> None:
        world, broker, name = self.world, self._broker, fault.target
        match fault.kind:
            case "kill":
                process.kill()
                world.after(fault.seconds, lambda: self._restart(process))
            case "term":
                process.term()  # type: ignore[attr-defined]
                world.after(fault.seconds + 5, lambda: self._restart(process))
            case "stop":
                process.loop.stop_still()
                world.after(fault.seconds, process.loop.go_on)
            case "cut":
                broker.cut(name, fault.mode, fault.seconds)
            case "deaf":
                broker.lossy[name] = 1.0
                world.after(fault.seconds, lambda: broker.lossy.pop(name, None))
            case "slow":
                broker.slowness[name] = fault.amount
                world.after(fault.seconds, lambda: broker.slowness.pop(name, None))
            case "clock":
                process.loop.skew += fault.amount
            case "stand" if process.running and isinstance(process, WorkerProcess):
                process.stand_still()
            case "child":
                self._children.record(name).fates.append(fault.mode)

    def _befall_redis(self, fault: Fault, slot: int) -> None:
        world, broker = self.world, self._broker
        match fault.kind:
            case "stall" if broker.up:
                broker.stand_still()
                world.after(fault.seconds, broker.go_on)
            case "away" if broker.up:
                broker.leave()
                world.after(fault.seconds, lambda: self._bring_back(fault.mode, slot))
            case "demote" if broker.up:
                broker.demote()
                world.after(fault.seconds, broker.promote)
            case "redis-clock" if not (ends_sessions := fault.amount > SESSION_TTL) or not broker.replica:
                broker.skew += fault.amount
                if ends_sessions:  # not of a replica, which deletes nothing: what was over would be there again with the clock
                    broker.delete_expired()
                    self._losses.append(world.now)

    def _bring_back(self, mode: str, slot: int) -> None:
        if self._broker.up:
            return
        if mode == "emptied":
            self._broker.promote()
            self._broker.empty()
            self._losses.append(self.world.now)
        elif mode == "back":
            self._broker.promote()
            self._broker.restore(slot)
            self._losses.append(self.world.now)
        self._broker.come_back()

    def _restart(self, process: Process) -> None:
        if not process.running:
            process.start()

    def _heal(self) -> None:
        self._healed = True
        broker = self._broker
        broker.promote()
        if not broker.up:
            broker.come_back()
        broker.go_on()
        broker.lossy.clear()
        broker.slowness.clear()
        for record in self._children.records.values():
            record.fates.clear()
        for process in self._processes.values():
            process.loop.go_on()
            self._restart(process)
        if self._plan.hurry:
            self._children.hurry()
        self._say("healed")

    def _surprise(self, name: str, error: Any) -> None:
        """A process ended by itself, or something in it failed that nobody waits for."""
        process = self._processes[name]
        if isinstance(error, dict):
            self._complain(f"{name} failed: {error.get('message')}, {error.get('exception')!r}")
            return
        if not (isinstance(process, WorkerProcess) and process.may_end(_innermost(error))):
            if error is not None and self._tell:
                self._tell("".join(traceback.format_exception(_innermost(error))))
            self._complain(f"{name} ended: {_innermost(error)!r}")
        self.world.after(RESTART, lambda: self._restart(process))

    # what is left

    def _look_for_overdue(self) -> None:
        """Entries whose lease ran out long ago, though all is healed and a child is free for them."""
        if self.world.now < self._plan.length + HEALTHY + self._still():
            return
        self._real.set_clock(self.world.now + self._broker.skew)
        for lane in (Lane.HEAVY, Lane.PROOF):
            overdue = self._real.run("XPENDING", names.stream(lane), GROUP, "IDLE", int(1000 * (LEASE + HEALTHY)), "-", "+", 1)
            free = [each.name for each in self._workers if each.worker and not each.lane(lane)._free.empty()]
            if isinstance(overdue, list) and overdue and free and not self._violations:
                self._complain(f"an overdue entry is not taken over: {overdue[0][0].decode()} of {lane}, free is {free}")

    def _still(self) -> float:
        """Seconds until a process ends whose lane stands still: so long it lacks that child, and others may take over late."""
        return END_OF_STILL if any(fault.kind == "stand" for fault in self._plan.faults) else 0.0

    def _hung(self) -> float:
        """Seconds until a child is given up that hangs, though another worker has answered what it computes."""
        return DEADLINE if any(fault.mode == "hang" for fault in self._plan.faults) else 0.0

    def _look_for_holders(self) -> None:
        """Of sockets that resumed one session, one alone has it soon: the others are told, not only found at the next renewal."""
        if not self._await(TOLD, lambda: not self._several_holders()):
            self._violations += self._several_holders()

    def _probe(self) -> None:
        """Have each worker compute something costly, and prove something, at the same time."""
        count = len(self._workers)
        prober = Client(self.world, 99, self._plan.seed, self._connect)
        self._start(prober)
        before = {worker.name: self._children.record(worker.name).computed for worker in self._workers}
        for index in range(count):
            number = gmpy2.next_prime(gmpy2.mpz(7) * 10 ** (150 + index)).digits()
            self._children.pinned[number] = COSTLY
            self._outside.enter(lambda number=number: prober.ask(number, proof=True))  # type: ignore[misc]
        if not self._await(PROBE, lambda: not prober.waiting):
            self._complain(f"costly numbers are not answered: {len(prober.waiting)} of {count}")
        idle = [name for name, computed in before.items() if self._children.record(name).computed < computed + 2]
        if idle and not prober.waiting:
            self._complain(f"a worker computes nothing costly: {idle}")

    def _leftovers(self) -> list[str]:
        """What is still there though all is answered."""
        self._real.set_clock(self.world.now + self._broker.skew)
        left = leftovers.entries(self._real.run)
        ledgers = {web.name: len(web.instance.dispatcher._ledger) for web in self._webs if web.instance}
        held = {worker.name: len(worker.worker._leases.held) for worker in self._workers if worker.worker}
        left += [f"ledger not empty: {jobs} jobs in {name}" for name, jobs in ledgers.items() if jobs]
        left += [f"leases left: {entries} in {name}" for name, entries in held.items() if entries]
        left += self._missing_children()
        return left + self._several_holders() + leftovers.stray_keys(self._real.run)

    def _several_holders(self) -> list[str]:
        return [f"several holders: {sorted(client.holding)}" for client in self._clients if len(client.holding) > 1]

    def _missing_children(self) -> list[str]:
        """Children that are neither free nor at work, nor in the hand of a lane that looks for work."""
        lanes = [(each, lane) for each in self._workers if each.worker for lane in each.worker._child_lanes]
        return [
            f"a child is missing: {lane.lane} of {each.name}"
            for each, lane in lanes
            if lane._free.qsize() + len(each.worker._leases.ids(lane.lane)) < lane._children
        ]

    def _observe(self, name: str, command: Command, reply: bytes) -> None:
        self._commands += 1
        self._digest.update(b"%f %b %b" % (self.world.now, name.encode(), b" ".join(command)))
        if self._tell:
            shown = b" ".join(part[:60] for part in command)
            self._say(f"{name}: {shown[:300]!r} -> {reply[:200]!r}")

    def _say(self, text: str) -> None:
        if self._tell:
            self._tell(f"{self.world.now:9.4f} {text}")

    def _complain(self, text: str) -> None:
        self._say(f"!!! {text}")
        self._violations.append(text)


def _innermost(error: BaseException | None) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def simulate(plan: Plan, real: RealRedis, tell: Callable[[str], None] | None = None) -> Outcome:
    """Run one history."""
    if tell is None:
        logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda _: None  # coroutines of dead processes are let go of
    warnings.simplefilter("ignore", RuntimeWarning)  # some before they began
    gc.disable()
    try:
        return History(plan, real, tell).run()
    finally:
        gc.enable()
