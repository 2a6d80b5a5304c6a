"""What is measured, and where: the form of the file that `--json` writes."""

import importlib.metadata
import os
import platform
import re
from pathlib import Path

import msgspec

from local import programs

PACKAGES = ("tornado", "uvloop", "redis", "hiredis", "msgspec", "python-flint", "picows")


class Measurement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row in one case, once."""

    case: str
    row: str
    repetition: int  # rows of the same repetition ran within seconds of each other
    jobs: int
    rate: float  # answers a second
    cpu: dict[str, float]  # µs a job, by component
    load: float = 0.0  # µs a job of the load generator itself, which is not in `cpu`
    p50: float = 0.0  # ms
    p99: float = 0.0  # ms
    spread: float = 0.0  # the worst client's p99 in its own p50
    fewest: float = 0.0  # the answers of the client that got fewest, as a share of the mean
    commands: float | None = None  # of Redis, a job
    memory: float | None = None  # KiB of the web processes, a socket
    accepted: float | None = None  # sockets a second
    opening: float | None = None  # µs of CPU, all servers together, a socket that is opened
    runtime: str = ""  # what ran its servers, with its version

    @property
    def total(self) -> float:
        """µs of CPU a job, all servers together."""
        return sum(self.cpu.values())


class Results(msgspec.Struct, frozen=True):
    """All measurements of one command, and what it ran on."""

    command: str
    machine: str
    versions: str
    measurements: list[Measurement]


def machine() -> str:
    """Its cores and kernel; no name."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    kernel = re.match(r"[\d.]+", platform.release())
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({model[1] if model else platform.machine()}), {platform.system()} {kernel[0] if kernel else ''}".strip()


def versions() -> str:
    """Of what takes part, but for what the rows run on."""
    servers = [programs.find(program).description.partition(" from ")[0] for program in (programs.NGINX, programs.REDIS)]
    installed = {distribution.name: distribution.version for distribution in importlib.metadata.distributions()}
    packages = [f"{name} {installed[name]}" for name in PACKAGES if name in installed]  # picows is not where its row is left out
    return ", ".join([*packages, *servers])
