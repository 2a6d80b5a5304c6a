"""Several sockets resume one session at the same time: the server leaves it to exactly one."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

from tests.chaos.cases import FULL
from tests.chaos.client import slow
from tests.chaos.history import Closed, Figures, judge
from tests.chaos.processes import Processes
from tests.chaos.race import EVICTED, Racer
from tests.integration.processes import frozen

ROUNDS = 100 if FULL else 15


async def race(stage: Processes) -> Racer:
    """Each round resumes an idle session, then one whose answers come only when one socket holds it."""
    async with Racer([web.url for web in stage.webs.values()]) as racer:
        await racer.begin()
        await racer.ask("first", "97")
        await racer.until_answered()  # Redis knows of the session from here on
        for n in range(ROUNDS):
            await racer.resume_everywhere()
            assert await racer.until_one_holds() == 1, f"round {n}: sockets that hold the idle session"
            with ExitStack() as standing:
                for worker in stage.workers.values():
                    standing.enter_context(frozen(worker.pid))
                for i, number in enumerate(("97", "91", slow(n))):
                    await racer.ask(f"{n}-{i}", number)
                await racer.resume_everywhere()
                assert await racer.until_one_holds() == 1, f"round {n}: sockets that hold the session with requests in flight"
            await racer.until_answered()
    return racer


def test_of_four_resumes_at_once_one_holds_the_session(stage: Processes, record: Callable[[str, str, Figures], None]) -> None:
    racer = asyncio.run(race(stage))
    figures = judge(racer.history)
    print(figures)
    record("processes", "four resumes of one session at once", figures)
    closed = [event.code for event in racer.history if isinstance(event, Closed)]
    assert closed.count(EVICTED) == 2 * len(stage.webs) * ROUNDS, closed
    assert figures.clean, racer.history
