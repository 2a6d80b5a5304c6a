"""How long a write waits for company."""

from services.web.queue.commit_delay import CROWD, CommitDelay


def test_the_first_write_begins_at_once() -> None:
    assert CommitDelay(0.005).rest(100.0) <= 0


def test_after_a_crowd_the_next_write_waits_out_the_rest_of_the_time() -> None:
    delay = CommitDelay(0.5)
    delay.note(100.0, CROWD)
    assert delay.rest(100.125) == 0.375
    assert delay.rest(100.5) == 0


def test_after_a_few_jobs_it_does_not() -> None:
    delay = CommitDelay(0.5)
    delay.note(100.0, CROWD)
    delay.note(100.5, CROWD - 1)
    assert delay.rest(100.5) <= 0


def test_without_a_time_no_write_waits() -> None:
    delay = CommitDelay(0.0)
    delay.note(100.0, 1_000)
    assert delay.rest(100.0) == 0
