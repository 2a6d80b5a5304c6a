"""A lane's bell loses no ring and never lets a stopped lane sleep."""

import asyncio

import pytest

from services.worker.lanes.bell import Bell


def waits(bell: Bell) -> bool:
    """Whether the lane would sleep now."""

    async def scenario() -> bool:
        waiting = asyncio.ensure_future(bell.wait())
        await asyncio.sleep(0)
        try:
            return not waiting.done()
        finally:
            waiting.cancel()

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("doings", "sleeps"),
    [
        ([], True),
        (["ring"], False),
        (["ring", "ring", "looking"], True),
        (["looking", "ring"], False),
        (["stop"], False),
        (["stop", "looking"], False),
    ],
)
def test_a_lane_sleeps_only_if_nothing_rang_since_it_looked_and_it_is_not_stopped(doings: list[str], sleeps: bool) -> None:
    bell = Bell()
    for doing in doings:
        getattr(bell, doing)()
    assert waits(bell) is sleeps
