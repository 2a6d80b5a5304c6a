"""A lane's children, against Redis alone: each comes back to the lane, however its computation ended."""

import asyncio

import pytest

from services.broker.client import BrokerClient
from services.broker.connection import connect
from services.jobs import messages, names
from services.jobs.messages import Job
from services.jobs.names import GROUP, Lane
from services.runtime.settings import Settings
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
from services.worker.lanes.child_lane import ChildLane
from services.worker.lanes.runs import Runs
from services.worker.prove.keep import Certificates
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


def test_a_computation_that_is_cancelled_before_its_first_step_gives_its_child_back(server: RedisServer) -> None:
    jobs = [{"reply": "web", "jobs": messages.encode([Job(n, str(10**300 + 2 * n))])} for n in range(3)]
    *_, wanted = [server.admin.xadd(STREAM, job) for job in jobs]
    access = {"redis_user": "worker", "redis_password_file": server.password_file("worker")}
    redis = connect(Settings(redis_url=f"unix://{server.socket}", **access, _cli_parse_args=[]))

    async def scenario() -> None:
        broker, opening, leases = BrokerClient(redis), Opening(redis, "worker"), HeardAtOnce(wanted)
        outcomes, certificates = Outcomes(redis, leases), Certificates(redis, 60, 1)
        finishing, runs = Finishing(redis, broker, leases, "worker"), Runs(redis, "worker", 0)
        lane = ChildLane(
            Lane.HEAVY,
            [ChildProcess(512, BOUND)],
            leases,
            Takeover(redis, "worker", BOUND, opening),
            reader=Reader(redis, broker, "worker", opening),
            answers=ChildAnswers(Attempts(redis, 3, "worker"), finishing, outcomes, runs, certificates),
        )
        running = asyncio.create_task(lane.run())
        await eventually(lambda: not server.admin.xrange(STREAM, wanted, wanted), "the last one is answered")
        lane.bell.stop()
        await asyncio.wait_for(running, BOUND)
        await redis.aclose()

    asyncio.run(scenario())
