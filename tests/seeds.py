"""Seeds of tests that try what no run before has tried, and that everyone can try again."""

import subprocess
from pathlib import Path

FRESH = 10**9  # seeds from which a first one is drawn


def of_commit() -> int:
    """A seed that the commit that is checked out alone has."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    return int(done.stdout, 16) % FRESH
