"""Tries the newest versions of the libraries on whose private names we stand: `python -m tests.newest`, or `make newest`."""

import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "borrowed.md"
LIBRARIES = ("tornado", "redis", "hiredis", "prometheus_client", "supervisor", "uvloop")

INSTALL = 300  # seconds: six wheels of less than 5 MB together; a guess for a slow index
TESTS = 600  # seconds: they took 260 on two cores that were busy with other work


def main() -> int:
    """Install, say the versions, run the tests that the page names; returns the exit status of pytest."""
    with tempfile.TemporaryDirectory(prefix="primes-newest-") as folder:
        python = make_environment(Path(folder))
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--ignore-installed", *LIBRARIES]
        subprocess.run(install, check=True, timeout=INSTALL)
        subprocess.run(
            [python, "-m", "pip", "list", "--disable-pip-version-check", "--path", packages(python)], check=True, timeout=60
        )
        tests = sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE.read_text())))
        return subprocess.run([python, "-m", "pytest", "-q", *tests], cwd=ROOT, check=False, timeout=TESTS).returncode


def make_environment(folder: Path) -> Path:
    """Its Python: it finds here what it does not have itself."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    Path(packages(python), "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def packages(python: Path) -> str:
    """Where that Python's own packages are."""
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return subprocess.run(ask, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
