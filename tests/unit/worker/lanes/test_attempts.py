"""What the client of a job is told that ended its processes."""

from services.jobs.messages import Answer, Fault, Job, Verdict
from services.worker.lanes.attempts import poisoned


def test_a_poisoned_job_is_answered_under_its_id() -> None:
    assert poisoned(Job(7, "97")).answer == Answer(7, Verdict.UNKNOWN, fault=Fault.POISON)


def test_the_answer_to_a_poisoned_job_proves_nothing() -> None:
    assert not poisoned(Job(7, "97")).answer.proven
