"""What a worker holds, until it is answered, lost or wanted no longer."""

import asyncio
from collections.abc import Callable

import pytest

from services.jobs.messages import Job
from services.jobs.names import Lane
from services.worker.claims.claim import JobsClaim, RunClaim
from services.worker.claims.leases import Leases

QUICK = JobsClaim(Lane.QUICK, b"1-0", "web", 1, 0, [Job(1, "97")])
RUN = RunClaim(Lane.HEAVY, b"1-0", "web", 1, 0, Job(2, "91"))  # the same id, in another lane


def test_holds_claims_by_lane_until_they_are_dropped() -> None:
    leases = Leases()
    leases.take(QUICK)
    leases.take(RUN)
    assert leases.claims == [QUICK, RUN]
    leases.drop([QUICK])
    assert (leases.ids(Lane.QUICK), leases.ids(Lane.HEAVY)) == (set(), {b"1-0"})


@pytest.mark.parametrize(
    "stop",
    [lambda leases: leases.abandon(Lane.HEAVY, b"1-0"), lambda leases: leases.hear_cancellation(b"heavy 7-0 1-0")],
    ids=["lost", "cancelled"],
)
def test_the_computation_of_what_is_held_no_more_is_stopped(stop: Callable[[Leases], object]) -> None:
    async def scenario() -> None:
        leases, computing = Leases(), asyncio.ensure_future(asyncio.Event().wait())
        task = asyncio.create_task(_await(computing))
        leases.take(RUN, task=task)
        await asyncio.sleep(0)
        stop(leases)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert leases.claims == []

    asyncio.run(scenario())


async def _await(computing: "asyncio.Future[object]") -> None:
    await computing


def test_nothing_is_stopped_where_nothing_is_held_or_no_task_computes() -> None:
    leases = Leases()
    leases.take(QUICK)
    assert not leases.abandon(Lane.QUICK, b"2-0")
    assert not leases.abandon(Lane.QUICK, b"1-0")  # computed by the lane itself
    assert leases.claims == []
