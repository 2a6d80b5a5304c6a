"""The compose stack under test: starts it, breaks it, looks at it."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.integration.processes import computing, frozen
from tests.integration.waiting import wait_until

ROOT = Path(__file__).parents[2]
NUMBER = int(os.environ.get("TEST_STACK", "0"))  # of several side by side; each has the ports beside those of the one before
# Not the name of a stack that somebody runs for use.
PROJECT = f"primes-test{NUMBER or ''}"
PORT = int(os.environ.get("HTTP_PORT", "80")) + NUMBER
OPERATORS_PORT = int(os.environ.get("OPERATORS_PORT", "8090")) + NUMBER
PROMETHEUS_PORT = int(os.environ.get("PROMETHEUS_PORT", "9090")) + NUMBER
ALERTMANAGER_PORT = int(os.environ.get("ALERTMANAGER_PORT", "9093")) + NUMBER
WEBS = ("web0", "web1", "web2", "web3")
WORKERS = ("worker-1", "worker-2")
CONTAINERS = (
    *("redis-1", *(f"{web}-1" for web in WEBS), *WORKERS, "nginx-1", "canary-1"),
    *("prometheus-1", "redis-exporter-1", "nginx-exporter-1"),
)


class Stack:
    """Every command goes to the real compose file, with the ports and limits that this machine allows."""

    def __init__(
        self,
        project: str = PROJECT,
        port: int = PORT,
        prometheus_port: int = PROMETHEUS_PORT,
        operators_port: int = OPERATORS_PORT,
    ) -> None:
        self._project = project
        self._prometheus_port = prometheus_port
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": project,
            "HTTP_PORT": str(port),
            "OPERATORS_PORT": str(operators_port),
            "PROMETHEUS_PORT": str(prometheus_port),
            "ALERTMANAGER_PORT": str(ALERTMANAGER_PORT),
            # all clients of the tests have one address
            "SOCKETS_PER_ADDRESS": "0",
            "HANDSHAKES_PER_ADDRESS": "0",
        }
        if hard != resource.RLIM_INFINITY and hard < 50_000:
            self.environment["NOFILE"] = str(hard)
        self.http = f"http://127.0.0.1:{port}"
        self.socket = f"ws://127.0.0.1:{port}/chatsocket"

    def compose(self, *arguments: str, **variables: str) -> str:
        """Run `docker compose` and return what it printed; fails with its errors."""
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=ROOT,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, (
            f"docker compose {' '.join(arguments)}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
        return done.stdout

    def deploy(self, *options: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a rolling deploy; what it says comes over its one pipe."""
        return subprocess.Popen(
            [ROOT / "deploy" / "rolling.sh", *options],
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def firing(self) -> set[str]:
        """The alerts that fire, as Prometheus says."""
        return {alert["metric"]["alertname"] for alert in self.query('ALERTS{alertstate="firing"}')}

    def up(self) -> None:
        self.compose("up", "--detach", "--build", "--wait")

    def down(self) -> None:
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "20")

    def ids(self, *services: str) -> set[str]:
        """Of the running containers of these services. One question to Docker, so that it may be asked while they are replaced."""
        return {id_ for service in services for id_ in self._listed("{{.ID}}", f"service={service}")}

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What Docker knows of the running containers of a service."""
        ids = self._listed("{{.ID}}", f"service={service}")
        return json.loads(subprocess.run(["docker", "inspect", *ids], capture_output=True, check=True).stdout) if ids else []

    def kill(self, container: dict[str, Any], sent: signal.Signals = signal.SIGKILL) -> None:
        """Signal the main process itself, as the kernel would: unlike `docker kill`, which also tells Docker not to restart it."""
        pid = container["State"]["Pid"]
        assert pid, f"{container['Name']} runs"  # 0 would be the group of this very process
        os.kill(pid, sent)

    def pids(self, *names: str) -> list[int]:
        """The main processes of these containers ("web0-1"); 0 for one that does not run."""
        containers = [f"{self._project}-{name}" for name in names]
        command = ["docker", "inspect", "--format", "{{.State.Pid}}", *containers]
        return [int(pid) for pid in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]

    def kill_named(self, *names: str) -> set[int]:
        """Kill the main processes of these containers at once, as soon as all run; Docker notices later. Returns which."""
        running = self._running(*names)
        for pid in running:
            os.kill(pid, signal.SIGKILL)
        return running

    @contextlib.contextmanager
    def still(self, *names: str) -> Iterator[None]:
        """The main processes of these containers stand still for the length of the block."""
        with contextlib.ExitStack() as block:
            for pid in self._running(*names):
                block.enter_context(frozen(pid))
            yield

    @contextlib.contextmanager
    def at_heavy_work(self) -> Iterator[None]:
        """What workers give to child processes is under way, and has no answer before the end of the block: these stand still.

        So what a test needs to be under way is so, however long its machine makes it wait in between.
        """
        with contextlib.ExitStack() as block:
            for pid in wait_until(self._computing, "all workers have their child processes"):
                block.enter_context(frozen(pid))
            yield

    def _running(self, *names: str) -> set[int]:
        """The main processes of these containers, as soon as all run."""
        return wait_until(lambda: set(pids) if all(pids := self.pids(*names)) else set(), f"{', '.join(names)} run")

    def _computing(self) -> list[int]:
        """The child processes that compute, if each worker has the one for long numbers and the one for short ones."""
        found = [computing(worker) for worker in self.pids(*WORKERS)]
        return [child for children in found for child in children] if all(len(children) >= 2 for children in found) else []

    def statuses(self) -> dict[str, str]:
        """Docker's word on every running container, by name without the project: {"web0-1": "Up 3 seconds (healthy)"}."""
        return {
            name.removeprefix(f"{self._project}-"): status
            for name, _, status in (line.partition("\t") for line in self._listed("{{.Names}}\t{{.Status}}"))
        }

    def _listed(self, format_: str, *labels: str) -> list[str]:
        """A line for each running container that has these of Compose's labels ("service=web0")."""
        filters = [f"--filter=label=com.docker.compose.{label}" for label in (f"project={self._project}", *labels)]
        listed = subprocess.run(
            ["docker", "ps", "--no-trunc", "--format", format_, *filters], capture_output=True, text=True, check=True
        )
        return listed.stdout.splitlines()

    def wait_whole(self) -> None:
        """Wait until everything is healthy and has the names that tests know.

        What does not become so is told, and the stack made anew: that fails one test, and not all that come after it.
        """
        try:
            if not self.statuses().keys() >= set(WORKERS):  # a deploy gave them other names
                for workers in (0, len(WORKERS)):
                    self.compose("up", "--detach", "--wait", "--no-recreate", "--scale", f"worker={workers}")
            self.wait_healthy(*CONTAINERS)
        except AssertionError as error:
            error.add_note(f"{self.statuses()}\n{self.compose('logs', '--no-color', '--tail', '10')[-20_000:]}")
            self.down()
            self.up()
            raise

    def wait_healthy(self, *containers: str) -> None:
        """Wait until these ("web0-1") run and are healthy, or running where they have no health check."""
        wait_until(
            lambda: all(
                "(healthy)" in (status := self.statuses().get(name, "")) or ("Up" in status and "(" not in status)
                for name in containers
            ),
            f"{', '.join(containers)} healthy",
            90,
        )

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET through nginx, whatever the status."""
        try:
            with urllib.request.urlopen(self.http + path, timeout=100) as response:
                return response.status, dict(response.headers), response.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus answers to an instant query."""
        url = f"http://127.0.0.1:{self._prometheus_port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=10) as response:
            return json.load(response)["data"]["result"]

    def total(self, expression: str) -> float:
        """The sum of a query's values."""
        return sum(float(sample["value"][1]) for sample in self.query(expression))
