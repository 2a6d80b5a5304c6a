"""begin_attempt.lua: how many other workers began a job and did not live to end it."""

from services.jobs import names
from services.jobs.messages import Job
from services.jobs.names import Lane
from services.worker.claims.claim import JobsClaim
from services.worker.lanes.attempts import BEGIN_ATTEMPT, begin_call
from tests.scripts.conftest import Node, run

CLAIM = JobsClaim(Lane.QUICK, b"1-0", "web", 2, 0, [Job(5, "97"), Job(6, "91")])
ATTEMPTS = names.attempts(Lane.QUICK, "1-0")
MOST = 3


def begin(node: Node, worker: str, job: int = 5) -> int:
    keys, arguments = begin_call(CLAIM, Job(job, "97"), worker, MOST)
    return int(run(node.worker, BEGIN_ATTEMPT, keys, *arguments))


def test_each_worker_counts_once_for_the_others(node: Node) -> None:
    assert [begin(node, worker) for worker in ("a", "a", "b", "c")] == [0, 0, 1, 2]
    assert 0 < node.admin.ttl(ATTEMPTS) <= names.ATTEMPTS_TTL


def test_one_too_many_is_told_and_not_noted(node: Node) -> None:
    for worker in ("a", "b", "c"):
        begin(node, worker)
    assert begin(node, "d") == MOST
    assert b"d" not in node.admin.hgetall(ATTEMPTS)


def test_only_the_job_that_a_worker_began_last_counts(node: Node) -> None:
    begin(node, "a", 5)
    begin(node, "a", 6)  # so it ended the fifth
    assert (begin(node, "b", 5), begin(node, "b", 6)) == (0, 1)


def test_who_lives_takes_itself_out(node: Node) -> None:
    begin(node, "a")
    node.worker.hdel(ATTEMPTS, "a")
    assert begin(node, "b") == 0
