"""Steps that several tests take to bring a worker into the state that they are about."""

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from services.jobs import names
from services.jobs.messages import Answer, Job, decode_answers, encode
from services.jobs.names import Lane
from tests.integration.processes import cpu, freeze, state, thaw
from tests.integration.redis_server import RedisServer
from tests.integration.stack import Response, Web, Worker
from tests.integration.waiting import wait_until

_even = itertools.count(10**300, 2)  # each of the heavy lane by its length, decided at once, and asked only once: nothing is kept


def warm(web: Web, worker: Worker) -> int:
    """Have the worker, the only one awake, start its child process; returns the child's id."""
    assert web.get(f"/primes/{next(_even)}").status == 200
    return worker.child


def freeze_child(web: Web, worker: Worker) -> int:
    """From now on this worker's heavy jobs take until the child is thawed or ended."""
    child = warm(web, worker)
    freeze(child)
    return child


def wait_until_it_computes(child: int) -> None:
    """What is cancelled from now on has a child that is to be stopped; one that is claimed may not have come to its child."""
    before = cpu(child)
    wait_until(lambda: cpu(child) >= before + 0.05, f"child {child} computes")


def let_work(worker: Worker) -> None:
    """Wait until a worker under load has answered some dozens of entries: what it had begun before is under way."""

    def answered() -> float:
        return worker.metric("primes_worker_compute_seconds_count", lane="quick")

    before = answered()
    wait_until(lambda: answered() >= before + 100, f"{worker.name} answers quick jobs")


def freeze_empty(redis: RedisServer, worker: Worker) -> None:
    """Stop a worker that Redis gives nothing more; others may go on.

    What its last read is given by then it answers when it is thawed, as its own, though another took that over meanwhile.
    """

    def reads() -> bool:
        return any(each["name"] == worker.name and "b" in each["flags"] for each in redis.admin.client_list())

    freeze(worker.pid)
    # twice: the first look may come before Redis has read the worker's last command
    wait_until(lambda: not reads() and not reads(), f"the last read of {worker.name} is over")


def freeze_with_quick_jobs(redis: RedisServer, worker: Worker) -> None:
    """Stop a worker under load at a moment at which it holds quick jobs."""

    process = f"{worker.name}-{worker.pid}"  # an earlier one of this name may have left something

    def caught() -> bool:
        freeze(worker.pid)
        # twice: the first look may come before Redis has read the worker's last command
        if redis.held(process, Lane.QUICK) and redis.held(process, Lane.QUICK):
            return True
        thaw(worker.pid)
        return False

    wait_until(caught, f"{worker.name} stands still while it holds quick jobs")


STARTED = 1.0  # s of CPU: to start takes a child a fifth of it


def kill_children(worker: Worker, times: int) -> None:
    """End each of so many child processes in turn while it computes, as the kernel does when memory runs out."""
    wait_until(lambda: worker.metric("primes_worker_running", lane="heavy") >= 1, f"{worker.name} has a heavy job")
    killed: set[int] = set()
    while len(killed) < times:
        (child,) = wait_until(lambda: set(worker.children) - killed, f"{worker.name} has child number {len(killed) + 1}")
        wait_until(lambda: cpu(child) >= STARTED, f"child {child} computes")  # noqa: B023  # waited for in this very turn
        os.kill(child, signal.SIGKILL)
        killed.add(child)
        wait_until(lambda: not state(child), f"child {child} is gone")  # noqa: B023  # waited for in this very turn


@contextlib.contextmanager
def asking(web: Web, *numbers: str) -> Iterator[list[Future[Response]]]:
    """HTTP clients that wait for these numbers' answers."""
    with ThreadPoolExecutor(len(numbers)) as pool:
        yield [pool.submit(web.get, f"/primes/{number}") for number in numbers]


class Inbox:
    """Takes the place of a web process: writes entries to the streams and hears the answers."""

    NAME = "tests"

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis
        self._heard: list[Answer] = []
        self._pubsub = redis.admin.pubsub(ignore_subscribe_messages=True)
        self._pubsub.subscribe(names.results(self.NAME))
        wait_until(lambda: redis.admin.pubsub_numsub(names.results(self.NAME))[0][1] == 1, "the inbox listens")

    def __enter__(self) -> "Inbox":
        return self

    def __exit__(self, *_: object) -> None:
        self._pubsub.close()

    def put(self, lane: Lane, *jobs: Job, ring: bool = True) -> None:
        """One entry."""
        self.put_raw(lane, {"reply": self.NAME, "jobs": encode(list(jobs))}, ring=ring)

    def put_raw(self, lane: Lane, fields: dict[str, str | bytes], *, ring: bool = True) -> None:
        """One entry with whatever is in it."""
        self._redis.admin.xadd(names.stream(lane), fields)
        if ring:
            self._redis.admin.publish(names.bell(lane), b"")

    def answers(self, count: int) -> dict[int, Answer]:
        """So many answers, by the ids of their jobs."""
        wait_until(lambda: self._hear() and len(self._heard) >= count, f"{count} answers came")
        assert len(self._heard) == count, self._heard
        return {answer.id: answer for answer in self._heard}

    def _hear(self) -> bool:
        while message := self._pubsub.get_message():
            self._heard += decode_answers(message["data"])
        return True
