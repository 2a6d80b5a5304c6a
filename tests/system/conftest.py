"""One compose stack for all system tests; each test finds it whole."""

import pytest

from tests.system.stack import CONTAINERS, Stack


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The stack with everything healthy, whatever the test before did to it."""
    running.wait_healthy(*CONTAINERS)
    return running
