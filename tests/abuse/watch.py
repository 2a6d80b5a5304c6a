"""What the service's processes took while a client abused it, and whether they are as before when it is gone.

The kernel keeps the most memory that each had: to look at all again and again would take the time of the client that measures.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from tests.bench import cpu
from tests.bench.stacks import Row
from tests.integration.stack import read_metric

PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.M)
RESET = "5"  # proc_pid_clear_refs(5): the peak begins anew, with what the process has now


class Watch:
    """The most memory that each part had, from the beginning on."""

    def __init__(self, row: Row) -> None:
        self._row = row
        for _, process in self._processes():
            with contextlib.suppress(OSError):  # not every kernel lets go of a peak
                (process / "clear_refs").write_text(RESET)

    def peaks(self) -> dict[str, int]:
        """MiB by part: what its processes that run now had at most, together."""
        peaks = dict.fromkeys(self._row.components, 0)
        for part, process in self._processes():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                if found := PEAK.search((process / "status").read_text()):
                    peaks[part] += int(found[1])
        return {part: peak >> 10 for part, peak in peaks.items()}

    def _processes(self) -> Iterator[tuple[str, Path]]:
        table = cpu.read()
        for part, roots in self._row.components.items():
            for pid in cpu.family(roots, table):
                yield part, Path(f"/proc/{pid}")


def alive(row: Row) -> bool:
    """Whether every process runs with which the service began."""
    table = cpu.read()
    return all(pid in table for roots in row.components.values() for pid in roots)


def open_work(row: Row) -> float:
    """Jobs and uploads that the web processes hold, and sockets that are open."""
    names = "primes_web_jobs_pending", "primes_web_uploads_active", "primes_web_connections"
    return sum(read_metric(port, name) for port in row.metrics["web"] for name in names)
