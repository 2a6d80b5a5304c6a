"""Starts a worker: `python -m services.worker`."""

import sys

import uvloop

from services.runtime.logs import log_to_stderr
from services.runtime.settings import load
from services.worker.settings import WorkerSettings
from services.worker.worker import Worker


def main() -> None:
    """Read the settings and work."""
    settings = load(WorkerSettings, "python -m services.worker", sys.argv[1:])
    log_to_stderr(settings)
    uvloop.run(start(settings))


async def start(settings: WorkerSettings) -> None:
    """Everything that needs the event loop."""
    await Worker(settings).run()


if __name__ == "__main__":
    main()
