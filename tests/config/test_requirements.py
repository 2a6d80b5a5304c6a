"""The requirements files fit pyproject.toml, which is told without an index, and are written from the index that pip uses."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import requirements
from tests.requirements import FILES, ROOT, index, stale


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the check reads."""
    for file in ("pyproject.toml", *FILES.values()):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_files_that_stand_here_fit(tree: Path) -> None:
    assert stale(tree) == []


def test_who_asks_for_help_gets_it_and_no_file_is_written() -> None:
    before = {file: (ROOT / file).read_bytes() for file in FILES.values()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.requirements", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.partition(" [")[0]) == (0, "usage: python -m tests.requirements")
    assert {file: (ROOT / file).read_bytes() for file in FILES.values()} == before


def test_a_changed_requirement_makes_the_files_stale_that_it_is_in(tree: Path) -> None:
    change(tree / "pyproject.toml", "gmpy2~=2.3.2", "gmpy2~=2.4.0")
    assert stale(tree) == [FILES["web"], FILES["worker"], FILES["test"]]


def test_a_changed_reason_makes_no_file_stale(tree: Path) -> None:
    change(tree / "pyproject.toml", "# the test runner", "# runs the tests")
    assert stale(tree) == []


def test_a_file_without_its_head_is_stale(tree: Path) -> None:
    head = requirements.head((tree / "pyproject.toml").read_text(), "web")
    change(tree / FILES["web"], head, "")
    assert stale(tree) == [FILES["web"]]


def test_uv_asks_the_index_that_pip_asks_and_trusts_whom_pip_trusts() -> None:
    configured = "\n".join([
        "global.cert='/company/ca.pem'",
        "global.extra-index-url='https://more.example/simple file:///srv/wheels'",
        "global.index-url='https://mirror.example/simple'",
        "global.proxy='http://proxy.example:3128'",
    ])  # fmt: skip
    assert index(configured) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://more.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/company/ca.pem",
        "ALL_PROXY": "http://proxy.example:3128",
    }


@pytest.mark.parametrize("stronger", [":env:", "install"])
def test_a_variable_and_the_commands_own_section_win_as_they_do_for_pip(stronger: str) -> None:
    assert index(f"{stronger}.cert='/mine.pem'\nglobal.cert='/company/ca.pem'") == {"SSL_CERT_FILE": "/mine.pem"}


def test_where_pip_is_not_configured_uv_is_told_nothing() -> None:
    assert index("") == {}
