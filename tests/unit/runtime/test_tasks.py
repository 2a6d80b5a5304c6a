"""A process' parts end when one of them fails, though what they wait for swallows a cancellation."""

import asyncio
from typing import Any

import pytest

from services.runtime.tasks import Parts


class Failed(Exception):
    pass


async def fail() -> None:
    await asyncio.sleep(0)
    raise Failed


async def swallow(times: int) -> None:
    """As redis-py does before Python 3.12, now and then."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not times:
                raise
            times -= 1


async def nest() -> None:
    async with Parts() as parts:
        parts.create_task(swallow(1))
        parts.create_task(fail())


@pytest.mark.parametrize("part", [swallow(0), swallow(2), nest()])
def test_all_parts_end_when_one_fails(part: Any) -> None:
    async def run() -> None:
        async with Parts() as parts:
            parts.create_task(part)
            parts.create_task(fail())

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(run())
    assert raised.group_contains(Failed)


def test_parts_that_come_to_their_end_leave_others_alone() -> None:
    async def main() -> None:
        other = asyncio.ensure_future(asyncio.sleep(0.01, "done"))
        async with Parts() as parts:
            assert await parts.create_task(asyncio.sleep(0, 7)) == 7
        assert await other == "done"

    asyncio.run(main())
