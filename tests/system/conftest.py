"""One compose stack for all system tests; each test finds it whole."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.system.stack import CONTAINERS, Stack


@pytest.fixture(scope="session")
def running() -> Iterator[Stack]:
    """The stack, built and started once; KEEP_STACK=1 leaves it running for a look afterwards."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("docker compose does not work here: tests/engine/start.sh makes it available (root, Debian)")
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker engine answers: tests/engine/start.sh starts one (root, Debian)")
    stack = Stack()
    stack.down()
    try:
        stack.up()
        yield stack
    finally:
        if not os.environ.get("KEEP_STACK"):
            stack.down()


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The stack with everything healthy, whatever the test before did to it."""
    running.wait_healthy(*CONTAINERS)
    return running
