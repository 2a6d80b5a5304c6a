"""The stack on a swarm of three nodes: every request gets its answer, once, though nodes, processes or Redis are away."""

from collections.abc import Callable, Iterator

import pytest

from tests.chaos import swarm
from tests.chaos.cases import Case, Load, parametrize
from tests.chaos.history import Figures
from tests.chaos.swarm import Swarm
from tests.integration.waiting import wait_until

pytestmark = pytest.mark.containers

STEADY = Load(60, 60, 1.0, 3, ping=5)

# Seconds of a case, and of the first one with what comes before it: three engines start, and each is given the images.
BOUND, FIRST = 600, 1_500

CASES = [
    Case(swarm.replace_workers_and_web, "workers and web processes replaced", Load(60, 90, 1.0, 3, ping=5), None, bound=FIRST),
    Case(swarm.cut_off_a_node, "a node cut off for 60 s", STEADY, None, bound=BOUND),
    Case(swarm.cut_off_the_node_of_the_primary, "the node of Redis' primary cut off for 60 s", STEADY, None, bound=BOUND),
    Case(swarm.take_redis_away, "all of Redis away for 60 s", STEADY, None, bound=BOUND),
]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    made = Swarm(tmp_path_factory.mktemp("swarm"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def whole(started: Swarm) -> Swarm:
    """Everything runs, whatever the case before did."""
    started.wait_whole()
    return started


@parametrize(CASES)
def test_every_request_is_answered_once_on_a_swarm(case: Case, whole: Swarm, record: Callable[[str, str, Figures], None]) -> None:
    with case.load.crowd(whole.url) as crowd:
        wait_until(lambda: crowd.answered > case.load.clients // 2, "answers come")
        case.fault(whole, crowd)
    figures = crowd.figures()
    print(figures)
    record("swarm", case.name, figures)
    whole.wait_whole()  # replicas are back, wherever they were
    assert figures.clean, crowd.blamed()
