"""The stack on a swarm of three nodes: every request gets its answer, once, though nodes, processes or Redis are away."""

import contextlib
import json
import socket
import urllib.request
from collections import Counter
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


@pytest.mark.timeout(FIRST)
def test_prometheus_sees_every_process_and_all_servers_of_redis(whole: Swarm) -> None:
    expected = Counter(web=4, worker=2, canary=1, redis=3, nginx=swarm.NODES, prometheus=1)

    def up() -> Counter[str]:
        return Counter(each["labels"]["job"] for each in whole.asked("targets")["activeTargets"] if each["health"] == "up")

    wait_until(lambda: up() == expected, f"the targets that are up are {expected}", 120)
    for series, value in {"redis_up": 3, "redis_connected_slaves": 2, "nginx_connections_active >= bool 0": 3}.items():
        asked = f"query?query=sum({series.replace(' ', '%20')})"
        wait_until(lambda asked=asked, value=value: float(whole.asked(asked)["result"][0]["value"][1]) == value, series, 60)  # type: ignore[misc]


@pytest.mark.timeout(FIRST)
@pytest.mark.parametrize("port", [6379, 26379], ids=["Redis", "Sentinel"])
def test_nobody_is_heard_without_tls(whole: Swarm, port: int) -> None:
    for node in whole.nodes:
        with (
            socket.create_connection((node.address, port), 10) as plain,
            whole.authority().wrap_socket(plain, server_hostname=node.address) as secure,
        ):
            secure.sendall(b"PING\r\n")
            assert secure.recv(100).startswith(b"-NOAUTH")
        with socket.create_connection((node.address, port), 10) as plain:
            plain.sendall(b"PING\r\n")
            with contextlib.suppress(ConnectionResetError):  # as good as the end
                assert plain.recv(100) == b""


@pytest.mark.timeout(FIRST)
def test_every_node_answers_clients_over_tls(whole: Swarm) -> None:
    for node in whole.nodes:
        with urllib.request.urlopen(f"https://{node.address}/primes/97", timeout=20, context=whole.authority()) as answer:
            assert json.load(answer)["verdict"] == "prime"


@parametrize(CASES)
def test_every_request_is_answered_once_on_a_swarm(case: Case, whole: Swarm, record: Callable[[str, str, Figures], None]) -> None:
    with case.load.crowd_of(whole.addresses) as crowd:
        wait_until(lambda: crowd.answered > case.load.clients // 2, "answers come")
        case.fault(whole, crowd)
    figures = crowd.figures()
    print(figures)
    record("swarm", case.name, figures)
    whole.wait_whole()  # replicas are back, wherever they were
    assert figures.clean, crowd.blamed()
