"""Parts of proofs on their way to the child processes of all workers, and back.

Nothing here is durable, on purpose: a part is a tenth of a second of work, or less. What is lost, in Redis, on its way or with a
worker, is given out again (`handout.py`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import redis.asyncio

from services.broker.script import SPOILED, TRY, Script
from services.jobs import names
from services.worker.parts import messages
from services.worker.parts.messages import Told

_scripts = Path(__file__).parent / "scripts"
_last_turn = _scripts / "last_turn.lua"
OFFER = Script(TRY, SPOILED, _last_turn, _scripts / "offer.lua")
TAKE = Script(TRY, SPOILED, _last_turn, _scripts / "take.lua")
WITHDRAW = Script(TRY, _scripts / "withdraw.lua")

MOST_WAITING = 128  # parts of one proof: twice as many as are given out at once, since some may be there twice
TTL = 30  # seconds after which parts are gone whose coordinator is gone: it says each second that it is there


class Taken(NamedTuple):
    """A part that waits no longer."""

    proof: str
    number: int  # by which its proof knows it
    part: bytes


class Board:
    """Every method raises what the Redis client raises."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis

    async def offer(self, proof: str, parts: Mapping[int, bytes], withdrawn: Sequence[int] = ()) -> int:
        """Have parts wait, and `withdrawn` ones wait no longer; returns how many of this proof wait."""
        keys, arguments = offer_call(proof, parts, withdrawn)
        return int(await OFFER(self._redis, keys, *arguments))

    async def take(self) -> Taken | None:
        """The part that is to be computed next; None where none waits. Raises ValueError where it cannot be read."""
        keys, arguments = take_call()
        taken: Any = await TAKE(self._redis, keys, *arguments)
        return None if taken is None else Taken(taken[0].decode(), int(taken[1]), taken[2])

    async def tell(self, told: Told) -> None:
        """Tell the worker that coordinates the proof what came of a part; at most once."""
        worker, _, _ = told.proof.rpartition(":")
        await self._redis.publish(names.outcomes(worker), messages.encode(told))

    async def withdraw(self, proof: str) -> None:
        """The proof is over: nobody need compute what waits."""
        keys, arguments = withdraw_call(proof)
        await WITHDRAW(self._redis, keys, *arguments)


def offer_call(proof: str, parts: Mapping[int, bytes], withdrawn: Sequence[int] = ()) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of offer.lua."""
    new = [each for part in parts.items() for each in part]
    return _keys(proof), [proof, TTL, MOST_WAITING, names.PARTS_BELL, len(withdrawn), *withdrawn, *new]


def take_call() -> tuple[list[str], list[str]]:
    """Keys and arguments of take.lua."""
    return [names.PARTS], [names.parts(""), names.payloads("")]


def withdraw_call(proof: str) -> tuple[list[str], list[str]]:
    """Keys and arguments of withdraw.lua."""
    return _keys(proof), [proof]


def _keys(proof: str) -> list[str]:
    return [names.PARTS, names.parts(proof), names.payloads(proof)]
