"""What a worker holds when it dies, stands still or ends is answered by another; no process stays behind."""

import signal
import time
from pathlib import Path

from services.jobs.names import Lane
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVY, HEAVY_COMPOSITE, INVALID, NOT_PRIME, PRIME, SLOW, Load, RawClient
from tests.integration.processes import children, cpu, freeze, state, thaw
from tests.integration.stack import Worker, get
from tests.integration.steps import STARTED, asking, freeze_child, freeze_empty, freeze_with_quick_jobs, let_work
from tests.integration.waiting import wait_until

# Python runs it before the program: the child stands still before it has read its arguments.
FREEZE_CHILD = """
import os, signal, sys
if "services.worker.compute.child" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGSTOP)
"""

IMPATIENT = ("--deadline", "1")


def two_workers(front: Front, *options: str, impatient: bool = False) -> tuple[Worker, Worker, int]:
    """Two workers; the first has a frozen child for its next heavy job, the second stands still until it is thawed.

    `impatient`: the second gives each job a second.
    """
    second = front.worker("second", *options, *(IMPATIENT if impatient else ()))
    front.wait_ready()
    freeze_empty(front.redis, second)
    first = front.worker("first", *options)
    front.wait_ready(first)
    return first, second, freeze_child(front.web0, first)


def test_jobs_of_a_killed_worker_are_answered_by_another(front: Front) -> None:
    doomed, other, child = two_workers(front, "--lease", "1")
    with RawClient(front.web0.url) as client, Load(*[front.web0.url] * 4) as load:
        for number in (HEAVY, HEAVY_COMPOSITE, HEAVY):
            client.send(number)
        wait_until(lambda: front.redis.held("first", Lane.HEAVY) == 1, "the worker holds a heavy job")
        freeze_with_quick_jobs(front.redis, doomed)

        doomed.kill()
        thaw(other.pid)

        assert list(client.messages(3)) == [PRIME, NOT_PRIME, PRIME]
        tally = load.finish()
    print(tally)
    assert tally.clean
    assert other.metric("primes_worker_takeovers_total", lane="heavy") == 1
    wait_until(lambda: other.metric("primes_worker_takeovers_total", lane="quick") >= 1, "the quick entries are taken over too")
    wait_until(lambda: not state(child), "the dead worker's child is gone")


def test_a_worker_that_stood_still_past_its_lease_stops_what_is_no_longer_its_own(front: Front) -> None:
    paused, other, child = two_workers(front, "--lease", "1")
    repeated = front.web0.metric("primes_web_answers_repeated_total")
    with RawClient(front.web0.url) as client, Load(*[front.web0.url] * 4) as load:
        client.send(HEAVY)
        wait_until(lambda: front.redis.held("first", Lane.HEAVY) == 1, "the worker holds a heavy job")
        let_work(paused)  # it gives the job to its child, which cannot tell
        freeze_with_quick_jobs(front.redis, paused)

        thaw(other.pid)
        assert client.receive() == PRIME
        tally = load.finish()
        thaw(paused.pid)

        wait_until(lambda: paused.metric("primes_worker_leases_lost_total", lane="heavy") == 1, "the lost lease is counted")
        wait_until(lambda: not state(child), "the job's child process is ended")
        wait_until(lambda: front.web0.metric("primes_web_answers_repeated_total") > repeated, "late answers are dropped")
        client.send("none")
        assert client.receive() == INVALID  # and no second answer before it
    print(tally)
    assert tally.clean
    assert paused.running


def test_a_child_process_ends_with_its_worker(front: Front) -> None:
    doomed, other, _ = two_workers(front, "--lease", "1", impatient=True)
    thaw(doomed.child)
    with asking(front.web0, SLOW) as (waiting,):
        child = doomed.child
        wait_until(lambda: front.redis.held("first", Lane.HEAVY) == 1 and state(child) == "R", "the child computes")

        doomed.kill()

        wait_until(lambda: not state(child), "the child is gone", 5)
        thaw(other.pid)
        assert waiting.result().json["error"]["code"] == "deadline"


def test_a_child_process_whose_worker_died_while_it_started_ends_too(front: Front, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(FREEZE_CHILD)
    doomed = front.worker("first", "--lease", "1", environment={"PYTHONPATH": str(tmp_path)})
    other = front.worker("second", "--lease", "1", *IMPATIENT)
    front.wait_ready()
    freeze(other.pid)
    with asking(front.web0, SLOW) as (waiting,):
        child = doomed.child
        wait_until(lambda: state(child) == "T", "the child stands still at its start")

        doomed.kill()
        thaw(child)

        try:
            wait_until(lambda: not state(child) or cpu(child) >= STARTED, "the child is gone, or computes")
            assert not state(child)
        finally:
            doomed.close()  # the session, and so the child with it
            thaw(other.pid)
        assert waiting.result().json["error"]["code"] == "deadline"


def test_a_stopped_worker_gives_its_long_job_to_another_at_once(front: Front) -> None:
    lease = 120
    leaving, other, child = two_workers(front, "--lease", str(lease), "--drain", "0.2")
    started = time.monotonic()
    with asking(front.web0, HEAVY) as (waiting,):
        wait_until(lambda: front.redis.held("first", Lane.HEAVY) == 1, "the worker holds the job")
        thaw(other.pid)
        wait_until(other.ready, "the other worker is back")

        leaving.send(signal.SIGTERM)

        assert leaving.wait() == 0
        assert not state(child)
        assert waiting.result().json["verdict"] == "probably_prime"
    assert time.monotonic() - started < lease / 2
    assert other.metric("primes_worker_takeovers_total", lane="heavy") == 1


def test_a_stopped_worker_finishes_a_job_that_ends_in_time(front: Front) -> None:
    leaving = front.worker("first", "--drain", "30")
    front.wait_ready()
    child = freeze_child(front.web0, leaving)
    with asking(front.web0, HEAVY) as (waiting,):
        wait_until(lambda: front.redis.held("first", Lane.HEAVY) == 1, "the worker holds the job")
        leaving.send(signal.SIGTERM)
        wait_until(lambda: get(leaving.metrics_port, "/readyz").json == {"status": "draining"}, "the worker drains")
        thaw(child)

        assert waiting.result().json["verdict"] == "probably_prime"
    assert leaving.wait(20) == 0  # not after the 30 s of the drain
    assert children(leaving.pid) == []
