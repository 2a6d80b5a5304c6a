"""`python -m local`: the whole stack as processes of this machine; started, hurt and stopped as a person would."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.sync.client import connect

from local import ports
from tests.integration.waiting import wait_until
from tests.ports import free_port
from tests.system.stack import ROOT

START = 90  # seconds until everything answers; about 5 on two idle cores
STOP = 60  # seconds until the runner ends; about 3. Supervisor's own bounds add up to 45

COMMAND = [sys.executable, "-m", "local"]


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body. Raises OSError while nobody answers."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


class Run:
    """One run of the stack, in a session of its own: by that its processes are told from others."""

    def __init__(self, state: Path, http_port: int, log: Path) -> None:
        self.state = state
        self.http_port = http_port
        self.operators_port = free_port()
        self._log = log
        with open(log, "wb") as output:
            self.runner = subprocess.Popen(
                [*COMMAND, "--state", state, "--http-port", str(http_port), "--operators-port", str(self.operators_port)],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        address = f"primes: http://127.0.0.1:{self.http_port}/  ws://127.0.0.1:{self.http_port}/chatsocket"
        wait_until(lambda: address in self.output() or self.runner.poll() is not None, "the stack says where it is", START)
        assert address in self.output(), self.output()

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def processes(self) -> dict[int, str]:
        """Process id and command line of all that run in the session. (A dead one that nobody reaped has none.)"""
        commands = {}
        for process in (int(entry.name) for entry in Path("/proc").glob("[0-9]*")):
            with suppress(ProcessLookupError, FileNotFoundError):
                if os.getsid(process) == self.runner.pid:
                    commands[process] = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        return {process: command for process, command in commands.items() if command}

    def process(self, instance: str) -> int | None:
        """The process id of a web process or worker, if it runs."""
        return next((process for process, command in self.processes().items() if f"--instance {instance} " in command), None)

    def redis(self) -> int | None:
        """The process id of Redis, if it runs."""
        names = {"redis-server", "valkey-server"}
        return next((process for process, command in self.processes().items() if Path(command.split()[0]).name in names), None)

    def sockets(self) -> list[Path]:
        return [path for path in self.state.rglob("*") if path.is_socket()]

    def end(self, number: signal.Signals) -> int:
        """Signal the runner and wait for its exit status. Ctrl-C reaches no other either: each has a process group."""
        self.runner.send_signal(number)
        return self.runner.wait(STOP)


@pytest.fixture(scope="module")
def http_port() -> int:
    """A free port for nginx; skips where the stack's fixed ports are taken."""
    if taken := [port for port in (*ports.WEB, *ports.METRICS) if not ports.is_free(port)]:
        pytest.skip(f"ports {taken} are in use, and the stack has no others")
    return free_port()


@pytest.fixture(scope="class")
def start(http_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Run]]:
    """Starts the stack in the class' own state directory, as often as called; one at a time."""
    directory = tmp_path_factory.mktemp("local")
    runs: list[Run] = []

    def start_one() -> Run:
        runs.append(Run(directory / "state", http_port, directory / f"output{len(runs)}"))
        runs[-1].wait_ready()
        return runs[-1]

    yield start_one
    if runs[-1].runner.poll() is None:
        assert runs[-1].end(signal.SIGTERM) == 0


@pytest.fixture(scope="class")
def run(start: Callable[[], Run]) -> Iterator[Run]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PRIMES_PROCESSES", "2")  # the second of each would want the next one's port
        yield start()


class TestRunning:
    def test_answers_http_with_a_verdict(self, run: Run) -> None:
        status, body = get(run.http_port, "/primes/97")
        assert (status, json.loads(body)["verdict"]) == (200, "prime")

    def test_answers_the_plain_protocol(self, run: Run) -> None:
        with connect(f"ws://127.0.0.1:{run.http_port}/chatsocket", proxy=None) as client:
            client.send("4")
            assert client.recv(timeout=30) == "is not a prime number"

    def test_serves_the_page(self, run: Run) -> None:
        status, body = get(run.http_port, "/")
        assert status == 200
        assert "Hello, world" in body

    def test_serves_the_operators_page_on_a_port_of_its_own(self, run: Run) -> None:
        status, body = get(run.operators_port, "/")
        assert status == 200
        assert "operators.js" in body
        assert get(run.http_port, "/figures")[0] == 404
        assert json.loads(get(run.operators_port, "/dead-letters")[1]) == {"count": 0, "letters": []}

    def test_each_process_has_its_port_for_operators(self, run: Run) -> None:
        for port in ports.METRICS:
            wait_until(lambda: get(port, "/readyz")[0] == 200, f"port {port} tells that its process hears Redis")  # noqa: B023
        assert "in use" not in run.output()

    def test_names_the_process_on_each_line(self, run: Run) -> None:
        names = {line.split(":")[0].strip() for line in run.output().splitlines()}
        assert {"supervisor", "worker0", "worker1", "web0", "web1", "web2", "web3", "canary"} <= names
        assert "\033" not in run.output()  # no colour in a file

    def test_refuses_a_second_run_in_the_same_directory(self, run: Run) -> None:
        second = subprocess.run([*COMMAND, "--state", run.state], cwd=ROOT, capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert f"already runs in {run.state}" in second.stderr

    @pytest.mark.parametrize(("instance", "metrics_port"), [("web1", 9001), ("worker1", 9011), ("canary", 9020)])
    def test_brings_a_killed_process_back(self, run: Run, instance: str, metrics_port: int) -> None:
        killed = wait_until(lambda: run.process(instance), f"{instance} runs")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: run.process(instance) not in (killed, None), f"{instance} runs again")
        wait_until(lambda: get(metrics_port, "/readyz")[0] == 200, f"{instance} is ready again")
        assert get(run.http_port, "/primes/97")[0] == 200

    def test_brings_back_a_redis_that_ended_in_order(self, run: Run) -> None:
        ended = wait_until(run.redis, "Redis runs")
        os.kill(ended, signal.SIGTERM)
        wait_until(lambda: run.redis() not in (ended, None), "Redis runs again")
        wait_until(lambda: get(run.http_port, "/readyz")[0] == 200, "the stack is ready again")
        assert "exited: redis (exit status 0" in run.output()

    def test_brings_a_killed_nginx_back(self, run: Run) -> None:
        os.kill(int((run.state / "nginx" / "nginx.pid").read_text()), signal.SIGKILL)
        wait_until(lambda: get(run.http_port, "/readyz")[0] == 200, "nginx serves again")


class TestEnding:
    def test_leaves_nothing_after_an_interrupt(self, start: Callable[[], Run]) -> None:
        run = start()
        assert len(run.processes()) >= 10  # the runner, Redis, nginx, four web processes, two workers, the canary
        assert run.end(signal.SIGINT) == 0, run.output()
        assert (run.processes(), run.sockets()) == ({}, [])

    def test_takes_everything_along_when_killed_and_starts_again(self, start: Callable[[], Run]) -> None:
        run = start()
        run.end(signal.SIGKILL)
        wait_until(lambda: not run.processes(), "its processes have ended too")
        assert get(start().http_port, "/primes/97")[0] == 200


def test_names_the_port_that_is_in_use(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        refused = subprocess.run(
            [*COMMAND, "--state", tmp_path / "state"],
            cwd=ROOT,
            env={**os.environ, "HTTP_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert refused.returncode == 1
    assert f"port {port} (nginx) is in use; choose another: HTTP_PORT=" in refused.stderr


def test_wants_two_ports_for_clients_and_operators(tmp_path: Path) -> None:
    port = str(free_port())
    ports = ["--http-port", port, "--operators-port", port]
    refused = subprocess.run(
        [*COMMAND, "--state", tmp_path / "state", *ports], cwd=ROOT, capture_output=True, text=True, timeout=START, check=False
    )
    assert refused.returncode == 1
    assert f"port {port} is wanted for clients and for operators; choose another: OPERATORS_PORT=" in refused.stderr


def test_names_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (file := tmp_path / "file").write_text("no directory")
    refused = subprocess.run([*COMMAND, "--state", file / "state"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr == f"python -m local: {file / 'state'}: Not a directory; give another directory with --state\n"
