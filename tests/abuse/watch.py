"""What the service's processes take while a client abuses it, and whether they are as before when it is gone."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator

from tests.bench import cpu
from tests.bench.stacks import Row
from tests.integration.stack import read_metric

LOOK = 0.25  # seconds between two looks at the memory
MIB = 1 << 20


class Watch:
    """The most memory that each part had."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.peak: dict[str, int] = defaultdict(int)  # MiB by part

    def look(self) -> None:
        """Note what each part has now, and what its largest process has."""
        for part, roots in self._row.components.items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one ended while it was looked at
                self.peak[part] = max(self.peak[part], cpu.memory(roots) // MIB)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look again and again."""

        async def run() -> None:
            while True:
                self.look()
                await asyncio.sleep(LOOK)

        task = asyncio.create_task(run())
        try:
            yield
        finally:
            task.cancel()


def alive(row: Row) -> bool:
    """Whether every process runs with which the service began."""
    table = cpu.read()
    return all(pid in table for roots in row.components.values() for pid in roots)


def open_work(row: Row) -> float:
    """Jobs and uploads that the web processes hold, and sockets that are open."""
    names = "primes_web_jobs_pending", "primes_web_uploads_active", "primes_web_connections"
    return sum(read_metric(port, name) for port in row.metrics["web"] for name in names)
