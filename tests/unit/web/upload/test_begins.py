"""A client begins as many uploads as its rate lets it, and is told when it may begin another."""

import pytest

from services.web.upload import begins
from services.web.upload.begins import SECONDS, Begins, TooOften


class Clock:
    """What the time is, as far as the module knows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("services.web.upload.begins.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def begin_all(rate: Begins, client: str = "one") -> int:
    """Begin as many as may be; returns how many."""
    count = 0
    try:
        while True:
            rate.take(client)
            count += 1
    except TooOften:
        return count


def test_a_client_may_be_ahead_of_its_rate_by_some_seconds_and_others_are_not_refused(clock: Clock) -> None:
    rate = Begins(4)
    assert begin_all(rate) == 4 * SECONDS
    assert begin_all(rate, "another") == 4 * SECONDS


def test_one_that_is_refused_may_begin_another_when_it_was_told_and_not_before(clock: Clock) -> None:
    rate = Begins(4)
    begin_all(rate)
    with pytest.raises(TooOften) as refused:
        rate.take("one")
    assert refused.value.seconds == pytest.approx(0.25)
    clock.now += 0.9 * refused.value.seconds
    assert begin_all(rate) == 0
    clock.now += 0.11 * refused.value.seconds
    assert begin_all(rate) == 1


def test_one_that_rested_may_begin_as_many_as_at_first(clock: Clock) -> None:
    rate = Begins(4)
    begin_all(rate)
    clock.now += SECONDS + 1
    assert begin_all(rate) == 4 * SECONDS


def test_without_a_rate_all_are_let_in(clock: Clock) -> None:
    rate = Begins(0)
    for _ in range(10_000):
        rate.take("one")


def test_clients_that_rested_are_forgotten_and_others_are_not(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begins, "REMEMBERED", 10)
    rate = Begins(4)
    for number in range(30):
        rate.take(str(number))
        clock.now += 0.2
    assert len(rate._paid) <= 10
    begin_all(rate)
    for number in range(30):
        rate.take(str(number))
    with pytest.raises(TooOften):
        rate.take("one")
