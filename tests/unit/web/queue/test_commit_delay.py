"""How long a write waits for company."""

import pytest

from services.web.queue.commit_delay import CROWD, CommitDelay

MANY = 1_000


@pytest.mark.parametrize("waiting", [1, MANY])
def test_the_first_write_begins_at_once(waiting: int) -> None:
    assert CommitDelay(0.005).rest(100.0, waiting) <= 0


def test_after_a_crowd_the_next_write_waits_out_the_rest_of_the_time() -> None:
    delay = CommitDelay(0.5)
    delay.note(100.0, CROWD)
    assert delay.rest(100.375, CROWD - 1) == 0.125
    assert delay.rest(100.5, 1) == 0


def test_it_waits_for_less_where_it_would_be_as_large_as_the_last_one() -> None:
    delay = CommitDelay(0.5)
    delay.note(100.0, CROWD)
    early = delay.rest(100.0, MANY)
    assert early == delay.rest(100.0, 1), "until then nobody looks who waits"
    assert 0 < early < 0.5
    assert delay.rest(100.0 + early, CROWD) <= 0
    assert delay.rest(100.375, MANY) <= 0


def test_what_the_last_write_left_is_none_of_those_that_came_since() -> None:
    delay = CommitDelay(0.5)
    delay.note(100.0, CROWD, left=MANY)
    assert delay.rest(100.375, MANY + CROWD - 1) == 0.125
    assert delay.rest(100.375, MANY + CROWD) <= 0


def test_after_a_few_jobs_it_does_not() -> None:
    delay = CommitDelay(0.5)
    delay.note(100.0, CROWD)
    delay.note(100.5, CROWD - 1)
    assert delay.rest(100.5, 1) <= 0


def test_without_a_time_no_write_waits() -> None:
    delay = CommitDelay(0.0)
    delay.note(100.0, MANY)
    assert delay.rest(100.0, 1) == 0
