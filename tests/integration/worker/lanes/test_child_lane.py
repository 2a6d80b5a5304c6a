"""A lane's children, against Redis alone: each comes back to the lane, however its computation ended."""

import asyncio

import pytest

from services.broker.client import BrokerClient
from services.broker.connection import Client
from services.jobs import messages, names, turn
from services.jobs.messages import Job
from services.jobs.names import GROUP, Lane
from services.worker.claims.claim import Claim
from services.worker.claims.finishing import Finishing
from services.worker.claims.leases import Leases
from services.worker.claims.opening import Opening
from services.worker.claims.outcomes import Outcomes
from services.worker.claims.reader import Reader
from services.worker.claims.takeover import Takeover
from services.worker.compute.child_process import ChildProcess
from services.worker.lanes.attempts import Attempts
from services.worker.lanes.child_answers import ChildAnswers
from services.worker.lanes.child_lane import ChildLane, SparedBy
from services.worker.lanes.runs import Runs
from services.worker.prove.keep import Certificates
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer
from tests.integration.waiting import eventually

STREAM = names.stream(Lane.HEAVY)
BOUND = 60  # s


class HeardAtOnce(Leases):
    """The cancellation of every entry but one is heard in the turn of the loop in which its computation is begun."""

    def __init__(self, wanted: bytes) -> None:
        super().__init__()
        self._wanted = wanted

    def take(self, *claims: Claim, task: "asyncio.Task[None] | None" = None) -> None:
        super().take(*claims, task=task)
        for claim in claims:
            if claim.id != self._wanted:
                self.hear_cancellation(b"heavy " + claim.id)


@pytest.fixture
def server(server: RedisServer) -> RedisServer:
    """With the workers' group."""
    server.admin.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    return server


class LaneParts:
    """The parts that a lane is given, on one Redis."""

    def __init__(self, redis: Client, leases: Leases) -> None:
        broker, opening = BrokerClient(redis), Opening(redis, "worker")
        outcomes, certificates = Outcomes(redis, leases), Certificates(redis, 60, 1)
        finishing, runs = Finishing(redis, broker, leases, "worker"), Runs(redis, "worker", 0)
        self._leases = leases
        self._takeover = Takeover(redis, "worker", BOUND, opening)
        self._reader = Reader(redis, broker, "worker", opening)
        self._answers = ChildAnswers(Attempts(redis, 3, "worker"), finishing, outcomes, runs, certificates)

    def lane(self, *children: ChildProcess, spared_by: SparedBy | None = None) -> ChildLane:
        """One of the heavy stream."""
        given = self._leases, self._takeover
        return ChildLane(Lane.HEAVY, children, *given, reader=self._reader, answers=self._answers, spared_by=spared_by)


def test_a_computation_that_is_cancelled_before_its_first_step_gives_its_child_back(server: RedisServer) -> None:
    jobs = [{"reply": "web", "jobs": messages.encode([Job(n, str(10**300 + 2 * n))])} for n in range(3)]
    *_, wanted = [server.admin.xadd(STREAM, job) for job in jobs]
    redis = connected(server)

    async def scenario() -> None:
        lane = LaneParts(redis, HeardAtOnce(wanted)).lane(ChildProcess(512, BOUND))
        running = asyncio.create_task(lane.run())
        await eventually(lambda: not server.admin.xrange(STREAM, wanted, wanted), "the last one is answered")
        lane.bell.stop()
        await asyncio.wait_for(running, BOUND)
        await redis.aclose()

    asyncio.run(scenario())


def test_short_ones_are_left_to_a_usual_child_that_is_free_and_long_ones_in_any_case(server: RedisServer) -> None:
    overdue, long, short = (
        server.admin.xadd(
            STREAM, {"reply": "web", "jobs": messages.encode([Job(n, str(10**300 + 2 * n))]), "turn": turn.write("a", "x", cost)}
        )
        for n, cost in enumerate((100, 101, 100))
    )
    server.admin.xclaim(STREAM, GROUP, "dead", 0, [overdue], force=True, idle=1000 * BOUND)
    redis = connected(server)

    async def scenario() -> None:
        parts = LaneParts(redis, Leases())
        free, busy = parts.lane(ChildProcess(512, BOUND)), parts.lane()  # of no child at all none is free
        assert (free.full, busy.full) == (False, True)
        assert await parts.lane(spared_by=SparedBy(free, 100))._next() is None
        further = parts.lane(spared_by=SparedBy(busy, 100))
        claims = [claim.id for _ in range(3) if (claim := await further._next()) is not None]
        assert claims == [overdue, short]
        claim = await free._next()
        assert claim is not None and claim.id == long
        await redis.aclose()

    asyncio.run(scenario())
