"""The event loop of one simulated process: asyncio's tasks, futures and timers, on the history's time, network and children."""

import asyncio
import itertools
from asyncio import events
from collections import deque
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.network import Network

BUSY = 0.02  # share of turns that take longer than the others, so that much is ready when the next one comes
LONG = 0.03  # seconds that such a turn takes at most
PACED = 0.5  # share of turns that take as long as the plan's pace at most


class _Numbered:
    """What has a place in a set that is the same in each run of a seed, as an address is not; most never are in one."""

    numbers = itertools.count(1)
    _number = 0

    def __hash__(self) -> int:
        if not self._number:
            self._number = next(_Numbered.numbers)
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Task(_Numbered, asyncio.Task[Any]):
    pass


class _Future(_Numbered, asyncio.Future[Any]):
    pass


def order_by_number(kind: type) -> None:
    """Give what others make the same place in a set, too."""
    kind._number = 0  # type: ignore[attr-defined]
    kind.__hash__ = _Numbered.__hash__  # type: ignore[assignment]


def begin_anew() -> None:
    """Forget the tasks of former histories, on whose number the order of a set would depend."""
    _Numbered.numbers = itertools.count(1)
    for name in ("_all_tasks", "_scheduled_tasks"):  # the former is CPython's before 3.12
        vars(asyncio.tasks).get(name, set()).clear()


class Loop:
    """One process: it runs, stands still, or is dead. It has what asyncio's parts, redis-py and the service ask of a loop.

    Dead, it does nothing more: what its coroutines do when they are let go of reaches nobody.
    """

    def __init__(self, world: World, name: str, network: "Network", on_error: Callable[[dict[str, Any]], None]) -> None:
        """`network`: what it reaches; `on_error`: told what no task waited for."""
        self.world = world
        self.name = name
        self.skew = 0.0  # seconds by which its clock is wrong
        self.dead = False
        self.stopped = False  # stands still, as after SIGSTOP
        self.signals: dict[int, Callable[[], None]] = {}
        self._network = network
        self._on_error = on_error
        self._ready: deque[asyncio.Handle] = deque()
        self._listed = False  # whether it waits for its turn
        self._busy = False  # whether its last turn still takes its time
        self._chance = Random(f"turns {world.seed} {name} {world.now}")

    def turn(self) -> None:
        """Run what is ready now; what that makes ready runs in the next turn."""
        if self.dead or self.stopped:
            self._listed = False
            return
        world = self.world
        former, world.running = world.running, self
        events._set_running_loop(self)
        try:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle._cancelled:
                    self._run(handle)
                if self.dead:
                    return
        finally:
            events._set_running_loop(None)
            world.running = former
        self._listed = False  # not before: what this turn made ready waits too while it takes its time
        longest = LONG if self._chance.random() < BUSY else world.pace if world.pace and self._chance.random() < PACED else 0.0
        if longest:
            self._busy = True
            world.after(self._chance.uniform(0, longest), self._end_turn)
        self._list()

    def _run(self, handle: asyncio.Handle) -> None:
        """What the handle's own method does, which calls itself through one more frame and words that few read."""
        try:
            handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.call_exception_handler({"message": f"Exception in callback {handle!r}", "exception": error})

    def _end_turn(self) -> None:
        self._busy = False
        self._list()

    def enter(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call something as if from within the process."""
        world = self.world
        former, world.running = world.running, self
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            return call(*arguments)
        finally:
            events._set_running_loop(before)
            world.running = former

    def take(self, handle: asyncio.Handle) -> None:
        """Have a handle run in the next turn."""
        self._ready.append(handle)
        self._list()

    def _list(self) -> None:
        if self._ready and not self._listed and not self.stopped and not self.dead and not self._busy:
            self._listed = True
            self.world.runnable(self)

    def stop_still(self) -> None:
        """SIGSTOP."""
        self.stopped = True

    def go_on(self) -> None:
        """SIGCONT."""
        self.stopped = False
        self._list()

    def kill(self) -> None:
        """SIGKILL."""
        self.dead = True
        self._ready.clear()

    # what asyncio and the service ask of a loop

    def time(self) -> float:
        """Seconds."""
        return self.world.now

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self.dead:
            self._ready.append(handle)
            self._list()
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self.world.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.dead:
            self.world.push(when, self, handle)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def create_future(self) -> Any:
        return _Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> Any:
        return _Task(coro, loop=self, name=name, context=context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return self.dead

    def get_exception_handler(self) -> None:
        return None

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.dead:
            self._on_error(context)

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:
        self.signals[sig] = lambda: callback(*args)

    async def create_unix_connection(self, protocol_factory: Callable[[], Any], path: Any = None, **_: Any) -> Any:
        return await self._network.connect(self, protocol_factory)

    async def subprocess_exec(self, protocol_factory: Callable[[], Any], *args: Any, **_: Any) -> Any:
        return await self._network.start_child(self, protocol_factory, args)
