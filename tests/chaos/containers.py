"""The compose stack, and what can be done to it."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import Any

from services.jobs import names
from services.jobs.names import Lane
from tests.chaos.cases import FULL
from tests.chaos.client import Crowd
from tests.integration.waiting import wait_until
from tests.system.stack import PROJECT, WEBS, WORKERS, Stack

LEASE = 10  # seconds


def last(seconds: float) -> None:
    """The length of a fault."""
    time.sleep(seconds)


def docker(*words: str) -> None:
    subprocess.run(["docker", *words], check=True, capture_output=True)


def busiest(crowd: Crowd) -> str:
    """The web container that holds the most sockets."""
    return max(WEBS, key=lambda web: sum(client.instance == web for client in crowd.clients))


def kill_workers_again_and_again(stack: Stack, crowd: Crowd) -> None:
    # the short form kills each once: what dies three times with its worker is set aside, as it should be
    for name in cycle(WORKERS) if FULL else WORKERS:
        if not crowd.asking:
            return
        stack.kill_named(name)
        deadline = time.monotonic() + 5
        while crowd.asking and time.monotonic() < deadline:
            last(0.1)


def held(stack: Stack, worker: dict[str, Any]) -> int:
    """Entries that a worker has claimed and not answered."""
    password = stack.compose("exec", "-T", "worker", "cat", "/run/access/password").strip()
    count = 0
    for lane in Lane:
        command = ("redis-cli", "--raw", "--user", "worker", "XPENDING", names.stream(lane), names.GROUP)
        told = stack.compose("exec", "-T", "--env", f"REDISCLI_AUTH={password}", "redis", *command).split()
        consumers = zip(told[3::2], told[4::2], strict=True)  # after how many there are, the first and the last
        count += sum(int(pending) for name, pending in consumers if name.startswith(worker["Config"]["Hostname"]))
    return count


@contextmanager
def caught(stack: Stack, crowd: Crowd) -> Iterator[dict[str, Any]]:
    """Stop a worker at a moment at which it holds jobs; it goes on afterwards."""
    worker = stack.containers("worker")[0]

    def holds() -> bool:
        stack.kill(worker, signal.SIGSTOP)
        # twice: the first look may come before Redis has read the worker's last command
        if held(stack, worker) and held(stack, worker):
            return True
        stack.kill(worker, signal.SIGCONT)
        return False

    wait_until(holds, "the worker holds jobs")
    try:
        yield worker
    finally:
        stack.kill(worker, signal.SIGCONT)


def stop_a_worker_past_its_lease(stack: Stack, crowd: Crowd) -> None:
    with caught(stack, crowd):
        last(LEASE + 3)


def kill_the_web_container(stack: Stack, crowd: Crowd, away: float = 0) -> None:
    name = busiest(crowd)
    if away:
        assert crowd.cut_off(name, away)
    stack.kill_named(f"{name}-1")


def kill_the_web_container_and_come_back_after_5_s(stack: Stack, crowd: Crowd) -> None:
    kill_the_web_container(stack, crowd, 5)


def kill_the_web_container_and_come_back_after_60_s(stack: Stack, crowd: Crowd) -> None:
    kill_the_web_container(stack, crowd, 60)


def kill_the_web_container_twice(stack: Stack, crowd: Crowd) -> None:
    kill_the_web_container(stack, crowd)
    wait_until(lambda: sum(bool(client.instance) for client in crowd.clients) > len(crowd.clients) * 0.9, "clients are back", 20)
    kill_the_web_container(stack, crowd)


def kill_redis(stack: Stack, crowd: Crowd) -> None:
    stack.kill_named("redis-1")


def empty_redis(stack: Stack, crowd: Crowd) -> None:
    stack.compose("rm", "--stop", "--force", "redis")
    docker("volume", "rm", f"{PROJECT}_redis")
    stack.compose("up", "--detach", "--wait", "redis")


@contextmanager
def without_network(container: str, network: str) -> Iterator[None]:
    docker("network", "disconnect", f"{PROJECT}_{network}", f"{PROJECT}-{container}")
    try:
        yield
    finally:
        docker("network", "connect", f"{PROJECT}_{network}", f"{PROJECT}-{container}")


def cut_off_a_web_container(stack: Stack, crowd: Crowd) -> None:
    with without_network(f"{busiest(crowd)}-1", "jobs"):
        last(10)


def cut_off_a_worker(stack: Stack, crowd: Crowd) -> None:
    """While it holds jobs, which it goes on computing."""
    with ExitStack() as cut:
        with caught(stack, crowd) as worker:
            cut.enter_context(without_network(worker["Name"].removeprefix(f"/{PROJECT}-"), "jobs"))
        last(LEASE + 3)


def deploy_everything(stack: Stack, crowd: Crowd) -> None:
    """Replace every web container and worker while all ask."""
    deploy = stack.deploy("--force-recreate")
    said, _ = deploy.communicate(timeout=300)
    print(said)
    assert deploy.returncode == 0, said
    assert crowd.asking, "the crowd asked until the end"


def reload_nginx(stack: Stack, crowd: Crowd) -> None:
    stack.compose("exec", "-T", "nginx", "nginx", "-p", "/tmp", "-e", "stderr", "-s", "reload")


def kill_nginx(stack: Stack, crowd: Crowd) -> None:
    stack.kill_named("nginx-1")
