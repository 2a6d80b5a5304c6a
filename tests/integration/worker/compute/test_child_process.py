"""A computation that nobody wants any more is stopped."""

import asyncio
from contextlib import suppress

import pytest

from services.jobs.messages import Answer, Job
from services.worker.compute.child_process import ChildProcess
from tests.integration.plain_clients import SLOW
from tests.integration.processes import state
from tests.integration.waiting import wait_until


def test_a_cancellation_that_the_look_swallows_stops_the_computation() -> None:
    looking = asyncio.Event()

    async def look(known: Answer | None) -> float:
        """As redis-py does now and then: the cancellation ends here."""
        looking.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return 60.0

    async def run() -> int:
        process = ChildProcess(512, 120)
        computing = asyncio.create_task(process.compute(Job(1, SLOW), look))
        async with asyncio.timeout(30):
            await looking.wait()
            assert process._process is not None
            child = process._process.pid
            computing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await computing
        return child

    child = asyncio.run(run())
    wait_until(lambda: not state(child), "the child is gone")
