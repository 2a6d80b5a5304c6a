"""The stack as processes of this machine, each with a network of its own to Redis, and what can be done to it."""

import random
import signal
import time
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

from services.jobs.names import Lane
from tests.chaos.client import Client, Crowd, Whims, slow, to_prove
from tests.chaos.proxy import Proxy
from tests.integration.processes import ROOT, freeze, frozen, thaw
from tests.integration.stack import Service, Stack, Web, Worker
from tests.integration.waiting import wait_until

LEASE = 2  # seconds
PROVING = Whims(proofs=frozenset([to_prove(0)]))
RECOVERY = 10  # seconds in which every process must be ready again, without a restart


class Processes:
    """Redis, four web processes, two workers."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None, *, code: Path = ROOT) -> None:
        """`environment`: what Redis gets beside the test's own; `code`: the release that runs."""
        self.stack = Stack(directory, code)
        self.stack.redis.environment = environment or {}
        self.stack.redis.start()
        self.proxies: dict[str, Proxy] = {}
        self.webs: dict[str, Web] = {}
        self.workers: dict[str, Worker] = {}
        self._chance = random.Random(1)
        for name in ("web0", "web1", "web2", "web3", "worker0", "worker1"):
            self.start(name)
        self.stack.wait_ready()

    def start(self, name: str) -> None:
        """Start the process of this name, for the first time or again."""
        if name not in self.proxies:
            socket = self.stack.redis.socket
            self.proxies[name] = Proxy(socket.with_name(f"{name}.sock"), socket).__enter__()
        self.stack.redis_url = f"unix://{self.proxies[name].path}"
        if name.startswith("web"):
            self.webs[name] = self.stack.web(name)
        else:
            self.workers[name] = self.stack.worker(name, "--lease", str(LEASE))

    @property
    def services(self) -> dict[str, Service]:
        return {**self.webs, **self.workers}

    def url(self) -> str:
        """Of any web process that runs: what nginx would choose."""
        return self._chance.choice([web for web in self.webs.values() if web.running]).url

    def kill(self, name: str) -> None:
        """End it as the kernel does when memory runs out, and start it again."""
        service = self.services[name]
        service.kill()
        self.stack.end(service)  # its children too
        self.start(name)

    def wait_ready(self, seconds: float = 30) -> None:
        self.stack.wait_ready(seconds=seconds)

    def close(self) -> None:
        self.stack.close()
        for proxy in self.proxies.values():
            proxy.__exit__()


def busiest(stage: Processes, crowd: Crowd) -> str:
    """The web process that holds the most sockets."""
    return max(stage.webs, key=lambda web: sum(client.instance == web for client in crowd.clients))


def last(seconds: float) -> None:
    """The length of a fault."""
    time.sleep(seconds)


def catch(stage: Processes, crowd: Crowd, name: str) -> bool:
    """Stop a worker at a moment at which it holds jobs; False if all are answered before."""
    redis, pid = stage.stack.redis, stage.workers[name].pid
    stage.stack.wait_ready(stage.workers[name])
    while crowd.asking:
        freeze(pid)
        # twice: the first look may come before Redis has read the worker's last command
        if all(any(redis.held(name, lane) for lane in Lane) for _ in range(2)):
            return True
        thaw(pid)
        last(0.02)
    return False


def kill_workers_again_and_again(stage: Processes, crowd: Crowd) -> None:
    while crowd.asking:
        for name in tuple(stage.workers):
            if catch(stage, crowd, name):
                stage.kill(name)
            deadline = time.monotonic() + 5
            while crowd.asking and time.monotonic() < deadline:
                last(0.1)


def stop_a_worker_past_its_lease(stage: Processes, crowd: Crowd) -> None:
    assert catch(stage, crowd, "worker0")
    try:
        last(2 * LEASE)
    finally:
        thaw(stage.workers["worker0"].pid)


def kill_the_web_process(stage: Processes, crowd: Crowd, away: float = 0) -> None:
    name = busiest(stage, crowd)
    if away:
        assert crowd.cut_off(name, away)
    stage.kill(name)
    stage.wait_ready()


def kill_the_web_process_and_come_back_after_5_s(stage: Processes, crowd: Crowd) -> None:
    kill_the_web_process(stage, crowd, 5)


def kill_the_web_process_and_come_back_after_60_s(stage: Processes, crowd: Crowd) -> None:
    kill_the_web_process(stage, crowd, 60)


def kill_the_web_process_twice(stage: Processes, crowd: Crowd) -> None:
    for _ in range(2):
        kill_the_web_process(stage, crowd)


def cut_clients_off(stage: Processes, crowd: Crowd) -> None:
    for _ in range(3):
        assert crowd.cut_off("", 0.5)
        last(2)


def restart_redis(stage: Processes, appendfsync: str) -> None:
    stage.stack.redis.stop(signal.SIGKILL)
    stage.stack.redis.start("--appendfsync", appendfsync)


def restart_redis_always(stage: Processes, crowd: Crowd) -> None:
    restart_redis(stage, "always")


def restart_redis_everysec(stage: Processes, crowd: Crowd) -> None:
    restart_redis(stage, "everysec")


def empty_redis(stage: Processes, crowd: Crowd) -> None:
    stage.stack.redis.stop(signal.SIGKILL)
    stage.stack.redis.wipe()
    stage.stack.redis.start()


def set_redis_back(stage: Processes, crowd: Crowd) -> None:
    for seconds in (0.04, 0.1, 0.6, 2):
        stage.stack.redis.remember()
        last(seconds)
        stage.stack.redis.set_back()
        stage.wait_ready(RECOVERY)


def take_redis_away(stage: Processes, crowd: Crowd) -> None:
    stage.stack.redis.stop()
    last(10)
    stage.stack.redis.start()


def hang_redis(stage: Processes, crowd: Crowd) -> None:
    assert stage.stack.redis.program
    freeze(stage.stack.redis.program.pid)
    try:
        wait_until(lambda: not any(service.ready() for service in stage.services.values()), "nobody says that it is ready", 10)
        last(5)
    finally:
        thaw(stage.stack.redis.program.pid)


def fill_redis(stage: Processes, crowd: Crowd) -> None:
    admin = stage.stack.redis.admin
    room = admin.config_get("maxmemory")["maxmemory"]
    admin.config_set("maxmemory", "1")
    try:
        last(5)
    finally:
        admin.config_set("maxmemory", room)


def slow_redis(stage: Processes, crowd: Crowd) -> None:
    for proxy in stage.proxies.values():
        proxy.delay = 0.2
    try:
        last(8)
        everybody = stage.services.values()
        wait_until(lambda: all(service.ready() for service in everybody), "what is slow is ready all the same", RECOVERY)
    finally:
        for proxy in stage.proxies.values():
            proxy.delay = 0.0


def cut_off(stage: Processes, name: str) -> None:
    """One process loses Redis for 10 s, and says so; the others do not."""
    proxy = stage.proxies[name]
    proxy.cut()
    thaw(stage.services[name].pid)
    try:
        deadline = time.monotonic() + 10
        wait_until(lambda: not stage.services[name].ready(), f"{name} says that it is not ready", 8)
        others = [service for other, service in stage.services.items() if other != name]
        wait_until(lambda: all(service.ready() for service in others), "the others are ready", RECOVERY)
        last(max(0.0, deadline - time.monotonic()))
    finally:
        proxy.mend()


def cut_off_a_web_process(stage: Processes, crowd: Crowd) -> None:
    cut_off(stage, busiest(stage, crowd))


def cut_off_a_worker(stage: Processes, crowd: Crowd) -> None:
    """While it holds jobs, which it goes on computing."""
    assert catch(stage, crowd, "worker0")
    cut_off(stage, "worker0")


def lose_publications(stage: Processes, crowd: Crowd) -> None:
    """Nothing published is heard by anybody for 5 s; commands pass."""
    before = sum(proxy.dropped for proxy in stage.proxies.values())
    for proxy in stage.proxies.values():
        proxy.deaf = True
    last(5)
    for proxy in stage.proxies.values():
        proxy.deaf = False
    assert sum(proxy.dropped for proxy in stage.proxies.values()) > before


def nothing(stage: Processes, crowd: Crowd) -> None:
    """What the same load looks like without a fault."""


def wait_for_all(crowd: Crowd) -> None:
    """Until nobody waits for anything any more."""
    while crowd.asking:
        last(0.1)


def cancel_at_random(stage: Processes, crowd: Crowd) -> None:
    """Clients end what they asked, whatever becomes of it just then; then each worker can compute a costly number and a proof."""
    wait_for_all(crowd)
    have_each_worker_compute(stage)


def have_each_worker_compute(stage: Processes) -> None:
    """A costly number and a proof, while the other one stands still."""
    for able, other in permutations(stage.workers.values(), 2):
        with frozen(other.pid), Crowd([Client(able.name, stage.url, [slow(0), to_prove(0)], 0.1, 0, PROVING)]) as alone:
            wait_for_all(alone)
        assert alone.figures().clean, f"{able.name} computes costly numbers by itself"
