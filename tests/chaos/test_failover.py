"""Another server becomes Redis' primary: every request gets its answer, once."""

from collections.abc import Callable, Iterator

import pytest

from tests.chaos import failover
from tests.chaos.cases import BRIEF, STEADY, Case, parametrize
from tests.chaos.failover import Replicated
from tests.chaos.history import Figures
from tests.chaos.processes import RECOVERY
from tests.integration.waiting import wait_until

CASES = [
    Case(failover.choose_another, "Redis' primary replaced on purpose", STEADY, BRIEF),
    Case(failover.kill_the_primary, "Redis' primary killed", STEADY, BRIEF),
    Case(failover.stop_the_primary, "Redis' primary stands still for 5 s", STEADY, BRIEF),
]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    stage = Replicated(tmp_path_factory.mktemp("failover"))
    yield stage
    stage.close()


@pytest.fixture
def stage(started: Replicated) -> Replicated:
    """Two servers follow the third, and everything is ready, whatever the case before did."""
    started.servers.wait_until_whole()
    started.stack.wait_ready()
    return started


@parametrize(CASES)
def test_every_request_is_answered_once_by_whatever_server_is_the_primary(
    case: Case, stage: Replicated, record: Callable[[str, str, Figures], None]
) -> None:
    with case.load.crowd(stage.url) as crowd:
        wait_until(lambda: crowd.answered > case.load.clients // 2, "answers come")
        case.fault(stage, crowd)
        stage.stack.wait_ready(seconds=RECOVERY)
    figures = crowd.figures()
    print(figures)
    record("processes", case.name, figures)
    assert figures.clean, crowd.blamed()
