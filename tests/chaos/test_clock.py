"""Redis' clock goes wrong: leases, sessions and answers do not wait until it is right again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.cases import FULL, WORKING, WORKING_BRIEF
from tests.chaos.clock import Clock
from tests.chaos.history import Figures
from tests.chaos.processes import Processes, catch, wait_for_all
from tests.integration.waiting import wait_until

BACK = -50  # minutes


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def timed(tmp_path: Path, clock: Clock) -> Iterator[Processes]:
    stage = Processes(tmp_path, clock.environment)
    yield stage
    stage.close()


def test_a_worker_killed_after_redis_clock_was_set_back_is_relieved(
    timed: Processes, clock: Clock, record: Callable[[str, str, Figures], None]
) -> None:
    load = WORKING if FULL else WORKING_BRIEF
    with load.crowd(timed.url) as crowd:
        wait_until(lambda: crowd.answered > load.clients // 2, "answers come")
        assert catch(timed, crowd, "worker0")
        before = timed.stack.redis.admin.time()[0]
        clock.set(BACK)
        wait_until(lambda: timed.stack.redis.admin.time()[0] < before, "Redis reads the new time")
        timed.kill("worker0")
        wait_for_all(crowd)
    figures = crowd.figures()
    print(figures)
    record("processes", f"Redis' clock {-BACK} minutes back, worker killed", figures)
    assert figures.clean, crowd.blamed()
