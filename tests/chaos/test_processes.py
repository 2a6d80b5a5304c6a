"""Faults against the stack as processes: every request gets its answer, once."""

from collections.abc import Callable

from tests.chaos import processes
from tests.chaos.cases import (
    BRIEF,
    CANCELLING,
    CANCELLING_BRIEF,
    CUT_BRIEF,
    MOVING,
    MOVING_BRIEF,
    STEADY,
    WORKING,
    WORKING_BRIEF,
    Case,
    Load,
    parametrize,
)
from tests.chaos.client import Crowd
from tests.chaos.history import Figures
from tests.chaos.processes import RECOVERY, Processes
from tests.chaos.uploads import Uploads
from tests.integration.waiting import wait_until


def set_redis_back_under_uploads(stage: Processes, crowd: Crowd) -> None:
    """Each upload is answered in full or told that it is lost; what comes afterwards is answered in full."""
    with Uploads(stage) as uploads:
        wait_until(lambda: uploads.ends["done"] >= 3, "uploads are answered")
        processes.set_redis_back(stage, crowd)
    print("uploads:", dict(uploads.ends))
    with Uploads(stage) as after:
        wait_until(lambda: after.ends.total() >= 3, "uploads end")
    assert set(after.ends) == {"done"}


CASES = [
    Case(processes.nothing, "none", STEADY, BRIEF),
    Case(processes.kill_workers_again_and_again, "worker killed every 5 s", WORKING, WORKING_BRIEF, True),
    Case(processes.stop_a_worker_past_its_lease, "worker stopped past its lease", STEADY, BRIEF),
    Case(processes.cut_clients_off, "sockets cut three times", MOVING, CUT_BRIEF),
    Case(processes.kill_the_web_process, "web killed, back at once", MOVING, MOVING_BRIEF, True),
    Case(processes.kill_the_web_process_and_come_back_after_5_s, "web killed, back after 5 s", MOVING, MOVING_BRIEF, True),
    Case(processes.kill_the_web_process_and_come_back_after_60_s, "web killed, back after 60 s", MOVING, None, True),
    Case(processes.kill_the_web_process_twice, "web killed twice in a row", Load(200, 5, 2.0, 1), None, True),
    Case(processes.restart_redis_always, "Redis killed, appendfsync always", STEADY, BRIEF),
    Case(processes.restart_redis_everysec, "Redis killed, appendfsync everysec", STEADY, BRIEF),
    Case(processes.empty_redis, "Redis emptied", STEADY, BRIEF),
    Case(processes.set_redis_back, "Redis set back four times", STEADY, BRIEF),
    Case(set_redis_back_under_uploads, "Redis set back, uploads too", STEADY, BRIEF),
    Case(processes.take_redis_away, "Redis away for 10 s", STEADY, None),
    Case(processes.hang_redis, "Redis hangs for 8 s", STEADY, None),
    Case(processes.fill_redis, "Redis full for 5 s", STEADY, BRIEF),
    Case(processes.slow_redis, "Redis 0.4 s slower for 8 s", STEADY, BRIEF),
    Case(processes.cut_off_a_web_process, "web cut off from Redis for 10 s", STEADY, BRIEF),
    Case(processes.cut_off_a_worker, "worker cut off from Redis for 10 s", STEADY, None),
    Case(processes.lose_publications, "publications lost for 5 s", STEADY, BRIEF),
    Case(processes.cancel_at_random, "requests cancelled at random", CANCELLING, CANCELLING_BRIEF, bound=900),
]


@parametrize(CASES)
def test_processes_answer_every_request_once(case: Case, stage: Processes, record: Callable[[str, str, Figures], None]) -> None:
    before = {name: service.pid for name, service in stage.services.items()}
    with case.load.crowd(stage.url) as crowd:
        wait_until(lambda: crowd.answered > case.load.clients // 2, "answers come")
        case.fault(stage, crowd)
        stage.wait_ready(RECOVERY)
    figures = crowd.figures()
    print(figures)
    record("processes", case.name, figures)
    assert figures.clean, crowd.blamed()
    assert case.restarts or before == {name: service.pid for name, service in stage.services.items()}
