"""The quick lane when its worker ends: what it holds goes to others."""

import asyncio
from typing import Any

from redis.exceptions import ConnectionError

from services.jobs import messages
from services.jobs.messages import Job
from services.worker.claims.finishing import Finishing
from services.worker.claims.leases import Leases
from services.worker.claims.opening import Opening
from services.worker.claims.outcomes import Outcomes
from services.worker.claims.reader import Reader
from services.worker.lanes.quick import QuickLane
from services.worker.lanes.quick_proofs import QuickProofs
from services.worker.prove.keep import Certificates


class Connection:
    """To Redis, as the test has it: it gives one entry, and does not say what became of the answer."""

    def __init__(self) -> None:
        entry = [b"1-0", [b"reply", b"web", b"jobs", messages.encode([Job(1, "7")])]]
        self._replies = [[[b"stream", [entry]]]]
        self.sent: asyncio.Future[asyncio.Future[Any]] = asyncio.get_running_loop().create_future()

    async def run(self, *command: Any, blocking: float = 0.0) -> Any:
        return self._replies.pop() if self._replies else await asyncio.get_running_loop().create_future()

    def send(self, *commands: Any, blocking: float = 0.0) -> "asyncio.Future[Any]":
        replied: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.sent.set_result(replied)
        return replied


def test_an_answer_that_did_not_arrive_is_not_sent_again_by_a_lane_that_was_cancelled() -> None:
    async def run() -> tuple[list[Any], Leases]:
        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        leases, redis, connection = Leases(), None, Connection()
        broker: Any = connection
        reader = Reader(redis, broker, "worker", Opening(redis, "worker"))  # type: ignore[arg-type]
        finishing = Finishing(redis, broker, leases, "worker")  # type: ignore[arg-type]
        proofs = QuickProofs(512, Certificates(redis, 60, 4))  # type: ignore[arg-type]
        lane = QuickLane(reader, leases, finishing, Outcomes(redis, leases), proofs)  # type: ignore[arg-type]
        running = asyncio.create_task(lane.run())
        replied = await asyncio.wait_for(connection.sent, 10)
        running.cancel()
        await asyncio.wait([running], timeout=10)
        replied.set_exception(ConnectionError("lost"))
        await asyncio.wait([replied])
        await asyncio.sleep(0)  # what its end has called
        return failures, leases

    failures, leases = asyncio.run(run())
    assert failures == []
    assert [claim.id for claim in leases.claims] == [b"1-0"], "who takes it over finds it"
