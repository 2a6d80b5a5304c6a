"""Seeds of what chance draws in tests."""

import subprocess
from pathlib import Path

FRESH = 10**9  # from which a first seed is drawn


def of_commit() -> int:
    """A seed that the commit which is checked out alone has, the same for everyone."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    return int(done.stdout, 16) % FRESH
