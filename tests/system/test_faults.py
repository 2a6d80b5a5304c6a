"""Each fault switch breaks the running stack and mends it; one is seen where docs/faults.md says that it is seen."""

import os
import re
import signal
import subprocess

import pytest

from tests.integration.waiting import wait_until
from tests.system.stack import ROOT, Stack

SCRIPT = ROOT / "faults" / "fault.sh"
NAMES = re.findall(r"^  ([a-z-]+)  ", subprocess.run([SCRIPT], capture_output=True, text=True, check=False).stderr, re.MULTILINE)


def start(stack: Stack, name: str, seconds: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [SCRIPT, name, str(seconds)],
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_is_mended(stack: Stack, name: str) -> None:
    fault = start(stack, name, 2)
    said, _ = fault.communicate(timeout=90)
    assert fault.returncode == 0, said
    assert said.rstrip().endswith("mended")
    wait_until(lambda: stack.get("/primes/97?timeout=5")[0] == 200, "the stack answers", 60)


def test_an_interrupted_fault_is_mended_and_what_it_does_is_seen(stack: Stack) -> None:
    fault = start(stack, "stop-web", 300)
    try:
        wait_until(lambda: stack.total('up{job="web"}') == 3, "Prometheus misses one web process", 60)
        assert stack.get("/primes/97")[0] == 200
    finally:
        os.killpg(fault.pid, signal.SIGINT)
        said, _ = fault.communicate(timeout=60)
    assert (fault.returncode, said.split()[-1]) == (130, "mended")
    wait_until(lambda: stack.total('up{job="web"}') == 4, "Prometheus sees all again", 60)


def test_a_fault_that_is_interrupted_while_it_breaks_something_breaks_it_first(stack: Stack) -> None:
    fault = start(stack, "stop-web", 300)
    assert fault.stdout is not None
    while "Stopping" not in (line := fault.stdout.readline()):
        assert line, "Compose tells that it stops the container"
    os.killpg(fault.pid, signal.SIGINT)
    said, _ = fault.communicate(timeout=60)
    assert (fault.returncode, said.split()[-1]) == (130, "mended")
    stack.wait_healthy("web2-1")
