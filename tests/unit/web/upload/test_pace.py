"""How long a body may keep its process waiting."""

import pytest

from services.web.upload.pace import Pace


def test_a_body_that_comes_at_the_rate_may_be_silent_as_long_each_time() -> None:
    pace = Pace(20, 1024)
    for _ in range(1_000):
        assert pace.patience == 20
        pace.take(10_240, 10)


def test_a_body_that_is_slower_has_the_first_silence_and_what_its_bytes_take() -> None:
    pace = Pace(20, 1024)
    pace.take(512, 10)
    assert pace.patience == 10.5
    pace.take(512, 10)
    assert pace.patience == 1
    pace.take(0, 1)
    assert pace.patience == 0


def test_without_a_rate_only_a_silence_is_too_long() -> None:
    pace = Pace(20, 0)
    for _ in range(1_000):
        pace.take(1, 19)
    assert pace.patience == 20


@pytest.mark.parametrize("waited", [20, 3_600])
def test_a_standstill_of_the_process_counts_as_the_longest_silence(waited: float) -> None:
    pace = Pace(20, 1024)
    pace.take(10 * 1024, waited)
    assert pace.patience == 10
