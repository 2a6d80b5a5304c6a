"""How web and worker start and how they end when they may not go on."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.jobs import names
from tests.integration.conftest import Front
from tests.integration.plain_clients import PRIME, RawClient
from tests.integration.processes import ROOT, children, frozen, state
from tests.integration.stack import Service, Web, get, read_metric
from tests.integration.waiting import wait_until
from tests.ports import free_port

# Python runs it before the program: on SIGUSR1 the main thread enters native code that holds the interpreter's lock
# for longer than anybody waits.
WEDGE = """
import re, signal
signal.signal(signal.SIGUSR1, lambda *_: re.match(r"(a+)+$", "a" * 64 + "b"))
"""

# Likewise: a process that was forked takes so long before it begins to serve that whoever looks meets it there.
SLOW = """
import time, uvloop
run = uvloop.run
uvloop.run = lambda *arguments: (time.sleep(5), run(*arguments))
"""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.mark.parametrize(
    ("role", "option", "address"),
    [("web", "--port", "--address"), ("web", "--metrics-port", "--address"), ("worker", "--metrics-port", "--metrics-address")],
)
def test_a_port_in_use_ends_the_start_with_a_line(taken: int, role: str, option: str, address: str) -> None:
    command = [sys.executable, "-m", f"services.{role}", address, "127.0.0.1", option, str(taken)]
    if option != "--port" and role == "web":
        command += ["--port", str(free_port())]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    lines = [line for line in done.stderr.splitlines() if not line[:4].isdigit()]  # without the log
    assert lines == [f"python -m services.{role}: {option} {taken}: Address already in use"]
    assert done.returncode == 2


def test_a_port_that_the_second_of_several_processes_cannot_have_ends_the_start_with_a_line(taken: int) -> None:
    command = [sys.executable, "-m", "services.web", "--address", "127.0.0.1", "--port", str(free_port()), "--processes", "2"]

    done = subprocess.run(
        [*command, "--metrics-port", str(taken - 1)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    # the one before it may be another's too
    assert re.fullmatch(rf"python -m services.web: --metrics-port ({taken}|{taken - 1}): Address already in use\n", done.stderr)
    assert done.returncode == 2


@pytest.mark.parametrize("options", [("--port", "65001"), ("--port", "0", "--metrics-port", "65535", "--processes", "2")])
def test_a_port_for_metrics_above_all_ports_ends_the_start_with_a_line(options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "services.web", "--address", "127.0.0.1", *options]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert re.fullmatch(r"python -m services.web: --metrics-port (66001|65536): Expected a port up to 65535\n", done.stderr)
    assert done.returncode == 2


@pytest.fixture
def pair(manned: Front) -> Iterator[Web]:
    """Two web processes that one command started, with a worker behind them."""
    web = manned.web("pair", "--processes", "2")
    manned.wait_ready()
    wait_until(lambda: get(web.metrics_port + 1, "/readyz").status == 200, "the second is ready")
    yield web
    for child in children(web.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_two_processes_are_two_instances(pair: Web) -> None:
    def both_served() -> bool:
        with RawClient(pair.url) as client:
            client.send("97")
            assert client.receive() == PRIME
        return all(served(port) for port in (pair.metrics_port, pair.metrics_port + 1))

    def served(port: int) -> float:
        return read_metric(port, "primes_web_jobs_answered_total")

    wait_until(both_served, "both instances served someone")


def test_two_processes_answer_under_two_names(manned: Front, pair: Web) -> None:
    def instances() -> set[str]:
        channels = manned.redis.admin.pubsub_channels(names.results("pair-*"))
        return {channel.decode().rpartition(":")[2].rpartition("-")[0] for channel in channels}

    wait_until(lambda: instances() == {"pair-0", "pair-1"}, "both listen, each under its name")


def test_two_processes_log_under_two_names(pair: Web) -> None:
    log = pair.log.read_text()
    assert " pair-0 " in log and " pair-1 " in log


def test_an_instance_that_dies_is_started_again(pair: Web) -> None:
    doomed, other = children(pair.pid)

    os.kill(doomed, signal.SIGKILL)

    wait_until(lambda: len(set(children(pair.pid)) - {doomed, other}) == 1, "another instance takes its place")
    for port in (pair.metrics_port, pair.metrics_port + 1):
        wait_until(lambda: get(port, "/readyz").status == 200, "both instances are ready")  # noqa: B023


def test_stopping_the_first_of_several_processes_stops_all(pair: Web) -> None:
    instances = children(pair.pid)

    pair.send(signal.SIGTERM)

    assert pair.wait() == 0
    for instance in instances:
        wait_until(lambda: not state(instance), "each instance ends", 10)  # noqa: B023


def test_stopping_the_first_of_several_processes_stops_those_that_have_only_begun(front: Front, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    web = front.web("pair", "--processes", "2", environment={"PYTHONPATH": str(tmp_path)})
    instances = wait_until(lambda: found if len(found := children(web.pid)) == 2 else [], "both are forked")

    web.send(signal.SIGTERM)

    assert web.wait() == 0
    assert not any(map(state, instances))


def test_stopping_the_first_of_several_processes_stops_one_that_takes_a_dead_ones_place(pair: Web) -> None:
    with frozen(pair.pid):  # so that it learns of both at once
        os.kill(children(pair.pid)[0], signal.SIGKILL)
        pair.send(signal.SIGTERM)

    assert pair.wait() == 0
    assert "killed by signal 9, restarting" in pair.log.read_text()


def test_an_interrupt_from_the_terminal_stops_all_processes_quietly(pair: Web) -> None:
    instances = children(pair.pid)

    os.killpg(pair.pid, signal.SIGINT)

    pair.wait()
    for instance in instances:
        wait_until(lambda: not state(instance), "each instance ends", 10)  # noqa: B023
    assert "Traceback" not in pair.log.read_text().rpartition("serves clients")[2]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_process_whose_event_loop_stands_still_ends_itself(front: Front, tmp_path: Path, role: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(WEDGE)
    start = front.web if role == "web" else front.worker
    wedged: Service = start("wedged", "--watchdog", "5", environment={"PYTHONPATH": str(tmp_path)})
    front.wait_ready()

    wedged.send(signal.SIGUSR1)

    assert wedged.wait(40) == 1
    assert "Timeout (0:00:05)!" in wedged.log.read_text()
