"""What the scripts for operators refuse before they touch the stack."""

import fcntl
import subprocess

import pytest

from tests.config.nginx_server import ROOT


def test_two_deploys_are_not_under_way_at_once() -> None:
    script = ROOT / "deploy/rolling.sh"
    with script.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = subprocess.run([script, "--no-build"], capture_output=True, text=True, timeout=60, check=False)
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == "deploy/rolling.sh: another one is under way from this folder; run it again when that has ended\n"


@pytest.mark.parametrize("name", ["", "kill", ".*", "kill-worker|", "kill-worker  one", "-"])
def test_a_fault_that_is_none_is_refused(name: str) -> None:
    done = subprocess.run([ROOT / "faults/fault.sh", name, "0"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: faults/fault.sh NAME [SECONDS]\n")
