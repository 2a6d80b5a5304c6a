"""The HTTP interface is what `docs/openapi.yaml` says: schemathesis asks it what is described, right and wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.integration.conftest import Whole
from tests.integration.processes import ROOT

HERE = Path(__file__).parent
FAILURE = re.compile(r"^(?:___.*___|- .*|\[[0-9]+\] .*)$", re.MULTILINE)  # what of its report says which operation failed, and how
SUMMARY = 1_000  # characters
EXAMPLES = 25  # of each operation; 25 seconds in all


def test_the_service_keeps_its_contract(whole: Whole, tmp_path: Path) -> None:
    described = f"http://127.0.0.1:{whole.webs[0].port}/openapi.yaml"
    options = ["--checks", "all", "--max-examples", str(EXAMPLES), "--request-timeout", "20", "--report-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "contract.toml", "run", *options, described],
        cwd=tmp_path,  # it keeps what it found beside itself
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.integration.web.http.contract_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    failed = " ".join(FAILURE.findall(done.stdout))[:SUMMARY]
    assert done.returncode == 0, f"{failed}\n{done.stdout[-6_000:]}{done.stderr[-2_000:]}"
    assert "Tested: 25" in done.stdout  # not skipped
