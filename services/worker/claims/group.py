"""The consumer groups of the lanes: making one that is missing, forgetting consumers that are gone."""

from pathlib import Path

import redis.asyncio
from redis.exceptions import ResponseError

from services.broker.script import Script
from services.jobs import names
from services.jobs.names import GROUP, Lane

FORGET_THE_DEAD = Script(Path(__file__).parent / "scripts" / "forget_the_dead.lua")

FORGET = 3_600_000  # ms idle after which a consumer without entries is deleted: a worker that is gone


async def make_missing(redis: redis.asyncio.Redis, lane: Lane, error: ResponseError) -> None:
    """Make the group that Redis says is missing: it is new, or came back empty. Raises any other error again."""
    if not str(error).startswith(("NOGROUP", "UNBLOCKED")):  # it is missing; or went while we waited for an entry
        raise error
    try:
        # from the beginning: what web processes wrote before the group was there is work too
        await redis.xgroup_create(names.stream(lane), GROUP, id="0", mkstream=True)
    except ResponseError as raced:
        if not str(raced).startswith("BUSYGROUP"):  # another worker was faster
            raise


async def forget_the_dead(redis: redis.asyncio.Redis, lane: Lane) -> None:
    """Delete consumers that hold nothing and have been silent for long: each start of a worker makes a new one."""
    keys, arguments = forget_call(lane)
    await FORGET_THE_DEAD(redis, keys, *arguments)


def forget_call(lane: Lane) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of forget_the_dead.lua."""
    return [names.stream(lane)], [GROUP, FORGET]
