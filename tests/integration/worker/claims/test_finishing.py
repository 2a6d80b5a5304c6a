"""The end of quick batches, against Redis alone."""

import asyncio

import pytest
from redis.exceptions import NoScriptError

from services.broker.client import BrokerClient
from services.jobs import messages, names
from services.jobs.messages import Answer, Job, Verdict
from services.jobs.names import Lane
from services.worker.claims.claim import Claim, JobsClaim
from services.worker.claims.finishing import Finishing
from services.worker.claims.leases import Leases
from services.worker.claims.opening import Opening
from services.worker.claims.reader import Reader
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer


class Part:
    """What of a worker reads and finishes quick entries."""

    def __init__(self, server: RedisServer) -> None:
        redis = connected(server, redis_timeout=5)
        broker = BrokerClient(redis)
        self.leases = Leases()
        self.reader = Reader(redis, broker, "worker-1", Opening(redis, "worker-1"))
        self.finishing = Finishing(redis, broker, self.leases, "worker")

    async def claim(self) -> list[JobsClaim]:
        """Hold what is there."""
        claims: list[Claim] = await self.reader.wait(8, set())
        batches = [claim for claim in claims if isinstance(claim, JobsClaim)]
        if batches:
            self.leases.take(*batches)
        return batches


def add(server: RedisServer, job: Job) -> None:
    server.admin.xadd(names.stream(Lane.QUICK), {"reply": "web", "jobs": messages.encode([job])})


@pytest.mark.parametrize("session", ["", "a-session"])
def test_answers_leave_before_the_next_read_waits(server: RedisServer, session: str) -> None:
    job = Job(1, "97", session=session, request="7" if session else "")
    answers = [[Answer(1, Verdict.PRIME)]]

    async def scenario() -> None:
        part, failures = Part(server), list[bool]()
        assert await part.claim() == []
        add(server, job)
        claims = await part.claim()
        if session:  # Redis does not have the script yet; then the step is taken again, as whoever calls does
            with pytest.raises(NoScriptError):
                await part.finishing.send(claims, answers, lambda: failures.append(True))
            assert failures == [True]
            assert part.leases.claims == claims
            await part.finishing.finish(claims, answers)
            add(server, job)
            claims = await part.claim()
        sent = part.finishing.send(claims, answers, lambda: failures.append(True))
        waiting = asyncio.ensure_future(part.claim())
        await sent
        assert server.length(Lane.QUICK) == 0
        assert part.leases.claims == []
        assert not waiting.done()
        await waiting

    asyncio.run(scenario())
