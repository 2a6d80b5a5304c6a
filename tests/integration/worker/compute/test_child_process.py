"""A computation that nobody wants any more is stopped, or comes to its end soon."""

import asyncio
import gc
import os
import signal
from contextlib import suppress

import pytest

from services.jobs.messages import Answer, Fault, Job, Verdict
from services.worker.compute import child_process
from services.worker.compute.child_process import ChildProcess
from tests.integration.plain_clients import HEAVY, SLOW
from tests.integration.processes import state
from tests.integration.waiting import wait_until

BOUND = 30.0  # seconds


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
        async with asyncio.timeout(BOUND):
            await looking.wait()
            assert process._process is not None
            child = process._process.pid
            computing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await computing
        return child

    child = asyncio.run(run())
    wait_until(lambda: not state(child), "the child is gone")


@pytest.mark.parametrize(("remnant", "same"), [(BOUND, True), (0.0, False)])
def test_a_child_goes_on_after_a_cancelled_job_that_ends_soon(monkeypatch: pytest.MonkeyPatch, remnant: float, same: bool) -> None:
    monkeypatch.setattr(child_process, "REMNANT", remnant)

    async def run() -> tuple[set[int], list[Answer]]:
        process = ChildProcess(512, 120)
        children: set[int] = set()
        told: list[Answer] = []
        async with asyncio.timeout(BOUND):
            for number in ("97", HEAVY, HEAVY, "91"):
                computing = asyncio.create_task(process.compute(Job(len(told), number)))
                if number == HEAVY:
                    await asyncio.sleep(0)  # to where it waits for its answer, or the second for the child
                    await asyncio.sleep(0)
                    computing.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await computing
                else:
                    told.append((await computing).answer)
                    assert process._process is not None
                    children.add(process._process.pid)
            await process.close()
        return children, told

    children, told = asyncio.run(run())
    assert [(answer.id, answer.verdict) for answer in told] == [(0, Verdict.PRIME), (1, Verdict.COMPOSITE)]
    assert len(children) == (1 if same else 2)
    wait_until(lambda: not any(map(state, children)), "they are gone")


def _asks(task: "asyncio.Task[object]") -> bool:
    return getattr(task.get_coro(), "__name__", "") == ChildProcess._ask.__name__


def test_a_child_that_ends_while_nobody_waits_any_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "LOOK", 0.01)

    async def run() -> tuple[Answer, Answer, list[str]]:
        process = ChildProcess(512, 120)
        complaints: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))

        async def look(known: Answer | None) -> float:
            """The child ends meanwhile."""
            assert process._process is not None
            os.kill(process._process.pid, signal.SIGKILL)
            await asyncio.wait([task for task in asyncio.all_tasks() if _asks(task)])
            return 0.0

        async with asyncio.timeout(BOUND):
            first = await process.compute(Job(1, SLOW), look)
            second = await process.compute(Job(2, "97"))
            await process.close()
        gc.collect()
        return first.answer, second.answer, complaints

    first, second, complaints = asyncio.run(run())
    assert first.fault is Fault.DEADLINE
    assert second.verdict is Verdict.PRIME
    assert complaints == []
