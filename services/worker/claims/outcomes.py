"""Outcomes of uploads' chunks on their way into Redis, and the chunks that no upload waits for."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import redis.asyncio

from services.broker.finish import DeadLetter
from services.broker.script import SET_ASIDE, TRY, Script
from services.jobs import chunks, names
from services.jobs.chunks import Outcome
from services.jobs.names import GROUP
from services.worker.claims.claim import ChunkClaim, Claim
from services.worker.claims.leases import Leases
from services.worker.claims.persistence import persist
from services.worker.claims.tally import DEAD_LETTERS, count_outcome

STORE = Script(TRY, SET_ASIDE, Path(__file__).parent / "scripts" / "store.lua")


class Outcomes:
    """Ends chunks: each outcome is kept once, by whichever worker is first."""

    def __init__(self, redis: redis.asyncio.Redis, leases: Leases) -> None:
        self._redis = redis
        self._leases = leases

    async def store(self, claim: ChunkClaim, outcome: Outcome, dead: Sequence[DeadLetter] = ()) -> None:
        """Keep the outcome, tell the web process, acknowledge and delete the entry, all in one step, until Redis has it."""
        keys, arguments = store_call(claim, outcome, dead)
        await persist(lambda: STORE(self._redis, keys, *arguments))
        self._leases.drop([claim])
        DEAD_LETTERS.labels(claim.lane).inc(len(dead))
        count_outcome(claim, outcome)

    async def unwanted(self, claims: Iterable[Claim]) -> list[ChunkClaim]:
        """Those chunks whose uploads are gone; their entries are acknowledged and deleted.

        Raises what the Redis client raises.
        """
        mine = [claim for claim in claims if isinstance(claim, ChunkClaim)]
        if not mine:
            return []
        async with self._redis.pipeline(transaction=False) as step:
            for claim in mine:
                step.hexists(names.upload(claim.upload), "state")
            there = await step.execute()
        gone = [claim for claim, found in zip(mine, there, strict=True) if not found]
        for claim in gone:
            async with self._redis.pipeline(transaction=True) as step:
                step.xack(names.stream(claim.lane), GROUP, claim.id)
                step.xdel(names.stream(claim.lane), claim.id)
                await step.execute()
        return gone


def store_call(claim: ChunkClaim, outcome: Outcome, dead: Sequence[DeadLetter]) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of store.lua."""
    stream, upload = names.stream(claim.lane), names.upload(claim.upload)
    number, packed, notices = claim.chunk.number, chunks.pack(outcome), names.notices(claim.reply_to)
    letters = [part for letter in dead for part in letter.fields(claim.lane)]
    arguments = GROUP, claim.id, number, packed, notices, claim.upload, names.DEAD_LENGTH
    return [stream, upload, names.DEAD], [*arguments, *letters]
