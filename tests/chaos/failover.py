"""The stack as processes around three servers of Redis and three Sentinels, and what can happen to the primary."""

import random
import signal
from pathlib import Path

from tests.chaos.client import Crowd
from tests.chaos.processes import LEASE, last
from tests.integration.failover import Failover
from tests.integration.stack import Stack, Web


class Replicated:
    """Redis behind Sentinels, four web processes, two workers."""

    def __init__(self, directory: Path) -> None:
        (directory / "servers").mkdir()
        self.servers = Failover(directory / "servers")
        self.stack = Stack(directory)
        self.stack.redis_url = self.servers.url
        self.webs: list[Web] = [self.stack.web(f"web{i}", *self._access("web")) for i in range(4)]
        for i in range(2):
            self.stack.worker(f"worker{i}", *self._access("worker"), "--lease", str(LEASE))
        self._chance = random.Random(1)
        self.stack.wait_ready()

    def _access(self, user: str) -> list[str]:
        password = str(self.servers.password_file(user))
        return ["--redis-password-file", password, "--sentinel-user", user, "--sentinel-password-file", password]

    def url(self) -> str:
        """Of any web process: what nginx would choose."""
        return self._chance.choice(self.webs).url

    def close(self) -> None:
        self.stack.close()
        self.servers.close()


def choose_another(stage: Replicated, crowd: Crowd) -> None:
    stage.servers.choose_another()


def kill_the_primary(stage: Replicated, crowd: Crowd) -> None:
    former = stage.servers.primary()
    assert former.program
    former.program.kill()
    stage.servers.wait_for_another(former)
    former.start()


def stop_the_primary(stage: Replicated, crowd: Crowd) -> None:
    """It stands still for five seconds, and then believes for a moment that it is the primary still."""
    former = stage.servers.primary()
    assert former.program
    former.program.send(signal.SIGSTOP)
    try:
        last(5)
        stage.servers.wait_for_another(former)
    finally:
        former.program.send(signal.SIGCONT)
