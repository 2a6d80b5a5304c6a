"""How long a process waits before it tries Redis again."""

from services.broker.connection import Backoff


def waits(backoff: Backoff, number: int) -> list[float]:
    return [backoff.next() for _ in range(number)]


def test_the_first_wait_is_short() -> None:
    assert all(0.025 <= Backoff().next() <= 0.05 for _ in range(1_000))


def test_each_wait_may_be_twice_as_long_as_the_last_and_a_second_at_most() -> None:
    for _ in range(1_000):
        backoff = Backoff()
        for bound in (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0):
            assert 0.025 <= backoff.next() <= bound


def test_no_wait_is_longer_than_a_second() -> None:
    later = waits(Backoff(), 10_000)[5:]
    assert 0.99 < max(later) <= 1.0


def test_later_waits_are_drawn_from_the_whole_range() -> None:
    # all processes lose Redis at once and must not come back at once
    later = waits(Backoff(), 10_000)[5:]
    assert min(later) < 0.05
    assert 0.48 < sum(later) / len(later) < 0.55


def test_begins_anew_after_a_success() -> None:
    for _ in range(1_000):
        backoff = Backoff()
        waits(backoff, 10)
        backoff.reset()
        assert backoff.next() <= 0.05
        assert backoff.next() <= 0.1


def test_each_has_a_wait_of_its_own() -> None:
    waits(Backoff(), 10)
    assert Backoff().next() <= 0.05
