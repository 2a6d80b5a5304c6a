"""Real web and worker processes on ports of their own, around a Redis of the test's own."""

import contextlib
import http.client
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.processes import ROOT, Program, computing
from tests.integration.redis_server import RedisServer
from tests.integration.waiting import wait_until
from tests.ports import free_port

START = 60  # seconds in which a process is ready: a second or two of CPU, of which a full machine gives it a part


@dataclass(frozen=True)
class Response:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def get(port: int, path: str, *, seconds: float = 60, method: str = "GET") -> Response:
    """One HTTP request."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return Response(response.status, dict(response.headers), response.read())


class Service(Program):
    """A web or worker process with its port for operators."""

    metrics_port: int

    def get(self, path: str, *, seconds: float = 60) -> Response:
        """One HTTP request: to its clients' port, or, if it has none, to its operators'."""
        return get(self.metrics_port, path, seconds=seconds)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels."""
        return read_metric(self.metrics_port, name, **labels)

    def ready(self) -> bool:
        """Whether it says that it can do its work; fails when it has ended."""
        if not self.running:
            pytest.fail(f"{self.name} ended:\n{self.tail()}")
        return get(self.metrics_port, "/readyz", seconds=5).status == 200


def read_metric(port: int, name: str, **labels: str) -> float:
    """The sum of the samples of this name with these labels, of whoever listens on the port."""
    families = text_string_to_metric_families(get(port, "/metrics", seconds=10).body.decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    assert samples, f"no metric {name}"
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


class Web(Service):
    """A web process."""

    port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/chatsocket"

    def get(self, path: str, *, seconds: float = 60) -> Response:
        """One HTTP request to its clients' port."""  # the operators' port answers `metric` and `ready`
        return get(self.port, path, seconds=seconds)

    @property
    def pending(self) -> int:
        """Jobs accepted and not answered."""
        return int(self.metric("primes_web_jobs_pending"))


class Worker(Service):
    """A worker process."""

    @property
    def children(self) -> list[int]:
        """Ids of the child processes that compute; those that prove are not of them."""
        return computing(self.pid)

    @property
    def child(self) -> int:
        """The id of the one child process that computes."""
        (child,) = wait_until(lambda: found if len(found := self.children) == 1 else [], f"{self.name} has one such child process")
        return child


class Canary(Service):
    """A canary."""


class Stack:
    """Redis and the processes around it, with all their logs in one folder."""

    def __init__(self, directory: Path, code: Path = ROOT) -> None:
        self._directory = directory
        self.code = code  # the checkout of the next process
        self.redis = RedisServer(directory, code)
        self.redis_url = f"unix://{self.redis.socket}"  # where the next process looks for it
        self.services: list[Service] = []

    def web(self, name: str = "web0", *options: str, environment: dict[str, str] | None = None) -> Web:
        """Start a web process; `wait_ready` waits for it."""
        port, metrics_port = free_port(), free_port()
        listening = ["--port", str(port), "--address", "127.0.0.1", "--metrics-port", str(metrics_port)]
        web = Web(name, [*self._command("web", name), *listening, *options], self._log(name), environment, self.code)
        web.port, web.metrics_port = port, metrics_port
        self.services.append(web)
        return web

    def worker(self, name: str = "worker0", *options: str, environment: dict[str, str] | None = None) -> Worker:
        """Start a worker with one child process for heavy jobs; `wait_ready` waits for it."""
        port = free_port()
        listening = ["--metrics-port", str(port), "--metrics-address", "127.0.0.1"]
        # Nothing is kept for later unless a test is about that: the others ask the same numbers and want them computed.
        usual = ["--heavy-processes", "1", "--cache-ttl", "0"]
        # No options, since the former release does not know them.
        alone = {"PRIMES_SHORT_PROCESSES": "0", "PRIMES_SHORT_PROOF_PROCESSES": "0", **(environment or {})}
        worker = Worker(name, [*self._command("worker", name), *listening, *usual, *options], self._log(name), alone, self.code)
        worker.metrics_port = port
        self.services.append(worker)
        return worker

    def canary(self, url: str, *options: str) -> Canary:
        """Start a canary that asks ten times a second in each lane."""
        port = free_port()
        pace = ["--canary-interval", "0.1", "--canary-costly-interval", "0.1"]
        asking = ["--instance", "canary", "--canary-url", url, *pace]
        listening = ["--metrics-port", str(port), "--metrics-address", "127.0.0.1"]
        canary = Canary("canary", [sys.executable, "-m", "services.canary", *asking, *listening, *options], self._log("canary"))
        canary.metrics_port = port
        self.services.append(canary)
        return canary

    def wait_ready(self, *services: Service, seconds: float = START) -> None:
        """Wait until these, or all, say that they are ready."""
        for service in services or self.services:
            wait_until(service.ready, f"{service.name} is ready", seconds)

    def end(self, *services: Service) -> None:
        """End these, or all, and what they started."""
        for service in services or tuple(self.services):
            service.close()
            self.services.remove(service)

    def close(self) -> None:
        self.end()
        self.redis.close()

    def logs(self) -> list[tuple[str, str]]:
        """Name and end of the log of everything that ever ran here."""
        paths = sorted(self._directory.glob("*.log"), key=lambda path: path.stat().st_mtime)
        return [(path.stem, "\n".join(path.read_text(errors="replace").splitlines()[-40:])) for path in paths]

    def _command(self, role: str, name: str) -> list[str]:
        access = ["--redis-user", role, "--redis-password-file", str(self.redis.password_file(role))]
        return [sys.executable, "-m", f"services.{role}", "--instance", name, "--redis-url", self.redis_url, *access]

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"
