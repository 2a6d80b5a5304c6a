"""What holds for every test: on CI nothing is skipped, a run that is ended tidies up, and there is one compose stack."""

import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.system.stack import Stack

NEED_AN_ENGINE = {"running", "compose", "promtool"}  # fixtures


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does: what was started is stopped, and what failed is told.

    Ctrl-C does so also in a run that a shell started in the background: there SIGINT is ignored, which every process inherits.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a Docker engine carry the mark `containers`, by what they use."""
    for item in items:
        if NEED_AN_ENGINE & set(getattr(item, "fixturenames", ())):
            item.add_marker("containers")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, Any]:
    """On CI a test that skips itself has failed: the machine lacks something that .ci/run should have installed."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped on CI: {reason}"
    return report


@pytest.fixture(scope="session")
def compose() -> None:
    """A client that reads Compose files; it needs no engine for that."""
    if not shutil.which("docker") or not _succeeds("docker", "compose", "version"):
        pytest.skip("docker compose does not work here: .ci/engine/start.sh makes it available (root, Debian)")


@pytest.fixture(scope="session")
def running(compose: None) -> Iterator[Stack]:
    """The stack, built and started once; KEEP_STACK=1 leaves it running for a look afterwards."""
    if not _succeeds("docker", "version"):
        pytest.skip("no Docker engine answers: .ci/engine/start.sh starts one (root, Debian)")
    stack = Stack()
    stack.down()
    try:
        stack.up()
        yield stack
    finally:
        if not os.environ.get("KEEP_STACK"):
            stack.down()


def _succeeds(*command: str) -> bool:
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The stack with everything healthy, whatever the test before did to it."""
    running.wait_whole()
    return running
