"""A loop that goes round no more is told, and then ends the process."""

import asyncio
import logging

import pytest
from prometheus_client import REGISTRY

from services.runtime import vigil
from services.runtime.vigil import StandsStill, Steps, Vigil


class Clock:
    """Time that goes on with the turns of the loop: else every part stands still while the machine does."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(vigil, "time", clock)
    monkeypatch.setattr(vigil, "LOOK", 0)  # one look in each turn
    return clock


def gauge(part: str) -> float | None:
    return REGISTRY.get_sample_value("primes_standing", {"part": part})


async def watch(watching: Vigil, clock: Clock, step: Steps | None = None) -> None:
    """Let it look for twice as long as a part may stand still, while one part goes round."""
    running = asyncio.create_task(watching.run())
    end = 2 * (vigil.STILL + vigil.END)
    try:
        while clock.now < end and not running.done():
            if step is not None:
                step.step()
            await asyncio.sleep(0)
            clock.now += 1
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_a_part_that_stands_still_is_told_and_ends_the_process(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    still, going = Steps("heavy lane", tell=lambda: "0 of 1 children are at work, 0 are free"), Steps("sweep")
    watching = Vigil([still, going], excused=lambda: False)
    with caplog.at_level(logging.ERROR), pytest.raises(StandsStill, match=r"^heavy lane stands still for .* 0 are free$"):
        asyncio.run(watch(watching, clock, going))
    assert watching.obstacle == "heavy lane stands still"
    assert (gauge("heavy lane"), gauge("sweep")) == (1, 0)
    assert len([record for record in caplog.records if record.name == vigil.__name__]) == 1


def test_a_part_that_goes_round_is_left_alone(clock: Clock) -> None:
    going = Steps("sweep")
    watching = Vigil([going], excused=lambda: False)
    asyncio.run(watch(watching, clock, going))
    assert (watching.obstacle, gauge("sweep")) == ("", 0)


@pytest.mark.parametrize("whole", [True, False], ids=["what all need is away", "all its children are at work"])
def test_a_part_that_need_not_go_round_is_left_alone(clock: Clock, *, whole: bool) -> None:
    watching = Vigil([Steps("heavy lane", excused=lambda: not whole)], excused=lambda: whole)
    asyncio.run(watch(watching, clock))
    assert watching.obstacle == ""
