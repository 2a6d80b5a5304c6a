"""`make test`: parts are bounded, do not mix their lines, and end with the run."""

import asyncio
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.integration.processes import state
from tests.integration.waiting import eventually, wait_until
from tests.suite import part, table
from tests.suite.part import TIMED_OUT, Part, Result
from tests.suite.parts import (
    ABUSE,
    CHAOS,
    CHART,
    CONTAINERS,
    FIREFOX,
    FUZZ,
    MODEL,
    MORE_CONTAINERS,
    PROCESSES,
    SECOND,
    SIMULATION,
    UNIT,
)
from tests.suite.run import Run

ROOT = Path(__file__).parents[2]


def shell(name: str, script: str, limit: int = 30) -> Part:
    return Part(name, limit, ("bash", "-c", script))


def began(file: Path) -> bool:
    return file.exists() and file.read_text().endswith("\n")


def test_a_part_over_its_limit_is_ended_with_what_it_started(tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    result = asyncio.run(part.run(shell("slow", f"sleep 60 & echo $! > {ids}; wait", limit=3)))
    assert result.status == TIMED_OUT
    assert 3 <= result.seconds < 12
    wait_until(lambda: not state(int(ids.read_text())), "its process is gone")


def test_a_cancelled_part_has_ended_before_the_run_goes_on(tmp_path: Path) -> None:
    ids = tmp_path / "ids"

    async def cancel() -> None:
        running = asyncio.ensure_future(part.run(shell("slow", f"echo $$ > {ids}; exec sleep 60")))
        await eventually(lambda: began(ids), "the part runs", 20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(cancel())
    assert not state(int(ids.read_text()))


def test_a_part_is_told_to_end_before_it_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "tidied"
    asyncio.run(part.run(shell("tidy", f"trap 'touch {file}; exit 1' TERM; sleep 60 & wait", limit=3)))
    assert file.exists()


def in_background(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as `COMMAND &` in a script does: SIGINT is ignored, and every process that follows inherits that."""
    script = ["bash", "-c", "trap '' INT; exec \"$@\"", "bash", *command]
    return subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_part_hears_an_interrupt_though_the_run_was_started_in_the_background() -> None:
    script = "import os; from tests.suite.__main__ import heed_interrupts; heed_interrupts();"
    script += "os.execvp('bash', ['bash', '-c', 'kill -INT $$; echo still here'])"
    done = in_background(sys.executable, "-c", script)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "")


def test_tests_hear_an_interrupt_though_their_run_was_started_in_the_background() -> None:
    name = "test_an_interrupt_ends_it_without_a_traceback"
    (file,) = (path for path in ROOT.glob("tests/unit/**/test_*.py") if f"def {name}(" in path.read_text())
    done = in_background(sys.executable, "-m", "pytest", "-q", f"{file}::{name}")
    assert done.returncode == 0, done.stdout


def test_the_first_failure_ends_the_parts_beside_it() -> None:
    run = Run()
    assert not asyncio.run(run.until_one_fails(shell("slow", "sleep 60"), shell("bad", "exit 3"), shell("slow too", "sleep 60")))
    assert [(result.part.name, result.status) for result in run.results] == [("bad", 3)]
    assert run.status == 3


def test_parts_beside_each_other_do_not_mix_their_lines(capfd: pytest.CaptureFixture[str]) -> None:
    run = Run()
    words = "for n in 1 2 3; do echo {} $n; sleep 0.02; done"
    assert asyncio.run(run.until_one_fails(shell("seen", words.format("a")), shell("unseen", words.format("b"))))
    run.read_out()
    said = capfd.readouterr().out.split()
    assert said == ["==", "seen", "a", "1", "a", "2", "a", "3", "==", "unseen", "b", "1", "b", "2", "b", "3"]


def test_the_status_of_the_run_is_that_of_the_first_part_that_failed() -> None:
    run = Run()
    for status in (0, 4, 5):
        asyncio.run(run.out_of_sight(shell(f"part {status}", f"exit {status}")))
    assert run.status == 4


def test_what_failed_is_told_by_its_test_or_by_the_last_lines(capfd: pytest.CaptureFixture[str]) -> None:
    run = Run()
    summary = "FAILED tests/test_a.py::test_one - AssertionError"
    asyncio.run(run.in_sight(shell("tests", f"echo many words; echo '{summary}'; echo 1 failed; exit 1")))
    asyncio.run(run.in_sight(shell("good", "echo 'FAILED to see anything wrong'")))
    asyncio.run(run.out_of_sight(shell("words", "seq 20; exit 2")))
    assert run.failures == [f"tests: {summary}", *(f"words: {number}" for number in range(11, 21))]
    assert "many words" in capfd.readouterr().out


def test_the_table_tells_time_limit_and_outcome_of_each_part() -> None:
    parts = [Part(name, 60, ("true",)) for name in ("good", "bad", "slow", "never begun")]
    results = [Result(one, 12.3, status) for one, status in zip(parts, (0, 1, TIMED_OUT), strict=False)]
    assert [line.split() for line in table.lines(parts, results)] == [
        ["part", "time", "limit", "outcome"],
        ["good", "12", "s", "60", "s", "passed"],
        ["bad", "12", "s", "60", "s", "failed:", "exit", "status", "1"],
        ["slow", "12", "s", "60", "s", "over", "its", "limit"],
        ["never", "begun", "-", "60", "s", "not", "run", "to", "its", "end"],
    ]


def test_every_folder_of_tests_is_run() -> None:
    by_others = {"tests/chart", "tests/fuzz"}  # make, which brings the tools first; the folder's own program, which draws the seeds
    assert CHART.command[-1] == "chart"
    assert "tests.fuzz" in FUZZ.command
    assert "pytest -q tests/chart" in (ROOT / "Makefile").read_text()
    folders = {"/".join(path.relative_to(ROOT).parts[:2]) for path in ROOT.glob("tests/**/test_*.py")} - by_others
    alone = {
        word
        for one in (UNIT, MODEL, CHAOS, PROCESSES, SIMULATION, ABUSE, FIREFOX)
        for word in one.command
        if word.startswith("tests/")
    }
    in_containers = {word for one in (CONTAINERS, MORE_CONTAINERS) for word in one.command if word.startswith("tests/")}
    assert alone <= folders
    assert in_containers - set(SECOND) <= folders
    assert alone | in_containers == folders | set(SECOND)
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    assert set(configured) == folders
