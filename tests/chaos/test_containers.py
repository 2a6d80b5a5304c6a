"""Faults against the compose stack, through port 80: every request gets its answer, once."""

from collections.abc import Callable

from tests.chaos import containers
from tests.chaos.cases import BRIEF, MOVING, MOVING_BRIEF, STEADY, WORKING, WORKING_BRIEF, Case, Load, parametrize
from tests.chaos.history import Figures
from tests.integration.waiting import wait_until
from tests.system.stack import Stack

CASES = [
    Case(containers.kill_workers_again_and_again, "worker killed every 5 s", WORKING, WORKING_BRIEF),
    Case(containers.stop_a_worker_past_its_lease, "worker stopped past its lease", WORKING, None),
    Case(containers.kill_the_web_container, "web killed, back at once", MOVING, MOVING_BRIEF),
    Case(containers.kill_the_web_container_and_come_back_after_5_s, "web killed, back after 5 s", MOVING, None),
    Case(containers.kill_the_web_container_and_come_back_after_60_s, "web killed, back after 60 s", MOVING, None),
    Case(containers.kill_the_web_container_twice, "web killed twice in a row", Load(200, 5, 2.0, 1), None),
    Case(containers.kill_redis, "Redis killed", STEADY, BRIEF),
    Case(containers.empty_redis, "Redis emptied", STEADY, BRIEF),
    Case(containers.cut_off_a_web_container, "web cut off from Redis for 10 s", STEADY, BRIEF),
    Case(containers.cut_off_a_worker, "worker cut off from Redis for 13 s", WORKING, None),
    Case(containers.reload_nginx, "nginx reloaded", Load(100, 50, 0.5, 5), None),
    Case(containers.kill_nginx, "nginx killed", STEADY, BRIEF),
    Case(containers.deploy_everything, "make deploy, 1,000 sockets", Load(1_000, 100, 1.0, 1), None),
]


@parametrize(CASES)
def test_containers_answer_every_request_once(case: Case, stack: Stack, record: Callable[[str, str, Figures], None]) -> None:
    with case.load.crowd(lambda: stack.socket) as crowd:
        wait_until(lambda: crowd.answered > case.load.clients // 2, "answers come")
        case.fault(stack, crowd)
    figures = crowd.figures()
    print(figures)
    record("containers", case.name, figures)
    assert figures.clean, crowd.blamed()
