"""The simulated processes: the real parts of web and worker, each on a loop of its own."""

import importlib.metadata
import os
import signal
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from services.broker import term
from services.broker.connection import connect
from services.jobs.names import Lane
from services.runtime import endpoints
from services.runtime.vigil import StandsStill
from services.web.drain import Drain
from services.web.instance import Instance
from services.web.settings import WebSettings
from services.worker import worker as worker_module
from services.worker.lanes.child_lane import ChildLane
from services.worker.settings import WorkerSettings
from services.worker.worker import Worker
from tests.simulation.loop import Loop, order_by_number
from tests.simulation.network import Network
from tests.simulation.sockets import ClientSocket, ServerSocket
from tests.simulation.world import World

URL = "unix:///simulated"
TIMEOUT = 2.0  # seconds until a silent connection to Redis counts as lost
LEASE = 2.0  # seconds
DRAIN = 3.0  # seconds
DEADLINE = 30.0  # seconds that a computation may take: so long a child is missing that hangs
SESSION = 60  # seconds that a session outlives its socket

Report = Callable[[str, BaseException | dict[str, Any] | None], None]


async def _nothing(*_: Any) -> None:
    """The watchdog looks at the machine's own time, and has no part in a history."""


class Process:
    """Runs, dies, is started again under the same name."""

    def __init__(self, world: World, network: Network, name: str, report: Report) -> None:
        """`report` is told of what ends without having been told to, with its error."""
        self.name = name
        self.loop = Loop(world, name, network, self._report_context)
        self.loop.dead = True
        self._world = world
        self._network = network
        self._report = report

    @property
    def running(self) -> bool:
        return not self.loop.dead

    def start(self) -> None:
        """Begin anew, on the same machine."""
        skew = self.loop.skew
        self.loop = Loop(self._world, self.name, self._network, self._report_context)
        self.loop.skew = skew
        task = self.loop.enter(lambda: self.loop.create_task(self.main()))
        task.add_done_callback(self._ended)

    async def main(self) -> None:
        """What the process does."""
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL: everything that it has goes with it."""
        if self.running:
            self.loop.kill()
            self._network.broker.cut_dead(self.loop)

    def _ended(self, task: Any) -> None:
        loop = self.loop
        error = task.exception() if not task.cancelled() else None
        self.kill()
        loop.world.after(0.0, lambda: self._report(self.name, error))

    def _report_context(self, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), RedisError | OSError):
            self._report(self.name, context)


class WebProcess(Process):
    """One web process: all of it but HTTP and the transport of its sockets."""

    def __init__(self, world: World, network: Network, name: str, report: Report) -> None:
        super().__init__(world, network, name, report)
        self.settings = WebSettings(
            instance=name, redis_url=URL, redis_timeout=TIMEOUT, drain=DRAIN, session_ttl=SESSION, max_queued_entries=20
        )
        self.sockets: dict[ServerSocket, None] = {}
        self.replies: dict[Callable[[Any], None], None] = {}  # that requests over HTTP wait for
        self.instance: Instance | None = None
        self._draining = False

    async def main(self) -> None:
        self._draining = False
        self.instance = Instance(connect(self.settings, term.begin), self.settings)
        await self.instance.run()

    def open(self, client: ClientSocket) -> bool:
        """Take a client, whose connection waits in the kernel if the process stands still; False if none listens."""
        if not self.running or self._draining or self.instance is None or self.loop.stopped:
            return False
        instance = self.instance
        client.server = self.loop.enter(lambda: ServerSocket(self, client, instance.dispatcher, instance.sessions, self.settings))
        return True

    def request(self, handler: Callable[[Instance, WebSettings], Coroutine[Any, Any, Any]], reply: Callable[[Any], None]) -> bool:
        """Handle a request over HTTP, whose reply is None if the process dies or fails; False if it takes none."""
        instance = self.instance
        if not self.running or self._draining or instance is None or self.loop.stopped:
            return False
        self.replies[reply] = None
        task = self.loop.enter(lambda: self.loop.create_task(handler(instance, self.settings)))
        task.add_done_callback(lambda done: self._reply(reply, done))
        return True

    def _reply(self, reply: Callable[[Any], None], done: Any) -> None:
        if self.replies.pop(reply, reply) is None:
            reply(done.result())

    def kill(self) -> None:
        super().kill()
        replies, self.replies = self.replies, {}
        for reply in replies:
            reply(None)
        sockets, self.sockets = self.sockets, {}
        for socket in sockets:
            socket.die()

    def term(self) -> None:
        """SIGTERM: drain, then end."""
        if self.running and not self._draining and self.instance is not None:
            self._draining = True
            self.loop.enter(lambda: self.loop.create_task(self._drain()))

    async def _drain(self) -> None:
        assert self.instance is not None
        await Drain(self.sockets, set(), self.instance.dispatcher.handed_over, self.settings.drain).run()
        self.kill()


class WorkerProcess(Process):
    """One worker: all of it but its metrics' port and its watchdog; its children are the simulation's."""

    def __init__(self, world: World, network: Network, name: str, report: Report, children: int, spared: int) -> None:
        super().__init__(world, network, name, report)
        self.settings = WorkerSettings(
            instance=name, redis_url=URL, redis_timeout=TIMEOUT, drain=DRAIN, lease=LEASE, heavy_processes=children,
            deadline=DEADLINE, proof_deadline=DEADLINE, short_processes=spared, short_proof_processes=spared,
            part_processes=0,  # no number of a history is proven in parts
            cache_ttl=5,
        )  # fmt: skip
        self.worker: Worker | None = None
        self._told_to_end = self._stands = False

    async def main(self) -> None:
        self._told_to_end = self._stands = False
        self.worker = Worker(self.settings)
        await self.worker.run()

    def lane(self, lane: Lane) -> ChildLane:
        """The part that computes a lane's entries in child processes."""
        assert self.worker is not None
        return next(each for each in self.worker._child_lanes if each.lane is lane)

    def term(self) -> None:
        """SIGTERM: drain, then end."""
        handler = self.loop.signals.get(signal.SIGTERM)
        if self.running and handler is not None:
            self._told_to_end = True
            self.loop.enter(handler)

    def stand_still(self) -> None:
        """Have its heavy lane take no step any more, as by a fault of its own."""
        if self.worker is not None:
            self._stands = True
            vars(self.lane(Lane.HEAVY))["_next"] = self._wait_for_ever

    async def _wait_for_ever(self) -> None:
        await self.loop.create_future()

    def may_end(self, error: BaseException | None) -> bool:
        """Whether its end is no surprise."""
        return self._told_to_end if error is None else self._stands and isinstance(error, StandsStill)


def without_the_machine() -> None:
    """Leave out what belongs to a process of the machine: ports, and the interpreter's own timer."""
    endpoints.serve = lambda *_: None  # type: ignore[assignment]
    vars(worker_module)["watch"] = _nothing
    # redis-py reads its own version from its package's files for each connection
    importlib.metadata.version = cache(importlib.metadata.version)
    order_by_number(AbstractConnection)  # redis-py keeps those of a pool in sets, and closes them in their order
    os.getpid = lambda: 1  # which is a part of workers' names
