"""Whether the machine is full, as a process notices it: it waits for a processor for longer than it has one."""

import os
from pathlib import Path

# Of the main thread, in which the loop runs: ns with a processor, ns that it was ready and had none (Linux, sched-stats.txt).
SCHEDSTAT = Path("/proc/self/schedstat")


class Pressure:
    """Looked at from time to time. Where the kernel does not count, or it is no Linux, no machine is full."""

    def __init__(self, path: Path = SCHEDSTAT) -> None:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1
        self._last = self._read()

    def look(self) -> bool:
        """Whether this process has waited for longer than it ran since the last look."""
        (ran, waited), last = self._read(), self._last
        self._last = ran, waited
        return waited - last[1] > ran - last[0]

    def _read(self) -> tuple[int, int]:
        if self._file < 0:
            return 0, 0
        ran, waited, _ = os.pread(self._file, 64, 0).split()
        return int(ran), int(waited)
