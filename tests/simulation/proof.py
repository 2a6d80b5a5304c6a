"""Takes mends back one by one, and tells how soon the simulation finds it: `python -m tests.simulation.proof`."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MUTANTS = Path(__file__).with_name("mutants")

SEEN = "Seen as: "  # begins each of them: what the simulation says of the fault (a regular expression)


@dataclass(frozen=True, slots=True)
class Finding:
    """How soon a mend that was taken back is missed."""

    mutant: str
    histories: int
    seconds: float
    violation: str  # empty if it was not found


def main() -> int:
    """A table of all; 1 if one was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.proof", description=__doc__)
    parser.add_argument("mutants", nargs="*", help="names of files in tests/simulation/mutants, all unless given")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument(
        "--processes", type=int, default=len(os.sched_getaffinity(0)), help="side by side; one per CPU unless given"
    )
    options = parser.parse_args()
    patches = [patch for patch in sorted(MUTANTS.glob("*.patch")) if not options.mutants or patch.stem in options.mutants]
    print("| taken back | histories | seconds | first seen |\n| --- | --- | --- | --- |", flush=True)
    found = True
    for patch in patches:
        finding = find(patch, options.minutes, options.first, options.processes)
        found &= bool(finding.violation)
        print(
            f"| {finding.mutant} | {finding.histories} | {finding.seconds:.0f} | {finding.violation or 'not found'} |", flush=True
        )
    return int(not found)


def find(patch: Path, minutes: float, first: int, processes: int) -> Finding:
    """Run histories of a copy of the service with this patch until one fails."""
    expected = patch.read_text().partition("\n")[0].removeprefix(SEEN)
    with tempfile.TemporaryDirectory(prefix="primes-mutant-") as directory:
        for folder in (ROOT / "tests", *(package.parent for package in ROOT.glob("*/__init__.py"))):
            shutil.copytree(folder, Path(directory) / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["patch", "--quiet", "--strip=1", "--input", patch], cwd=directory, check=True)
        command = [sys.executable, "-m", "tests.simulation", "--minutes", str(minutes), "--first", str(first), "--quick"]
        command += ["--expect", expected, "--processes", str(processes)]
        told = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    seen = re.search(r"^seed \d+ failed.*\n(.*)", told.stdout, re.MULTILINE)
    counted = re.search(r"^(\d+) histories .* in ([\d.]+) s", told.stdout, re.MULTILINE)
    if counted is None:
        raise RuntimeError(f"the simulation of {patch.stem} ended with status {told.returncode}:\n{told.stderr}")
    return Finding(patch.stem, int(counted[1]), float(counted[2]), seen[1] if seen else "")


if __name__ == "__main__":
    sys.exit(main())
