"""The benchmark's short proofs are made beside its long ones, which are gone after it."""

import asyncio

from services.jobs.names import Lane
from tests.bench.short_proofs import LONG, LongProofs, ask
from tests.integration.conftest import Front
from tests.integration.waiting import eventually


def test_short_proofs_are_told_beside_long_ones_that_are_cancelled_then(front: Front) -> None:
    front.worker("spare", environment={"PRIMES_SHORT_PROOF_PROCESSES": "1"})
    front.wait_ready()

    async def scenario() -> None:
        async with LongProofs(front.web0.url):
            told = await ask(front.web0.url, 60, 3)
            assert front.redis.length(Lane.PROOF) == len(LONG)
        assert (told.proofs.asked, told.proofs.lost, told.proofs.wrong) == (3, 0, 0)
        assert all(verdict <= proof for verdict, proof in zip(told.verdicts.seconds, told.proofs.seconds, strict=True))
        await eventually(lambda: front.redis.length(Lane.PROOF) == 0, "the long ones are gone")

    asyncio.run(scenario())
