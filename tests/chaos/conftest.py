"""CHAOS=full runs the long form; CHAOS_TABLE=FILE also writes the table there."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.history import Figures
from tests.chaos.processes import Processes
from tests.chaos.report import Row, table

ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str, str, Figures], None]:
    """Adds a row to the table."""
    return lambda stack, fault, figures: request.config.stash.setdefault(ROWS, []).append(Row(stack, fault, figures))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    stage = Processes(tmp_path_factory.mktemp("chaos"))
    yield stage
    stage.close()


@pytest.fixture
def stage(started: Processes) -> Processes:
    """Everything ready, whatever the case before did."""
    started.wait_ready()
    return started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, also when all passed."""
    if rows := config.stash.get(ROWS, []):
        lines = table(rows)
        terminalreporter.section("chaos")
        terminalreporter.write_line("\n".join(lines))
        if path := os.environ.get("CHAOS_TABLE"):
            Path(path).write_text("\n".join(lines) + "\n")
