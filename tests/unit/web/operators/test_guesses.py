"""Wrong tokens are counted by address, within bounds, and forgotten."""

from services.web.operators.guesses import ADDRESSES, FREE, PERIOD, Guesses


def guess(guesses: Guesses, address: str, now: float) -> bool:
    """Whether a wrong token is looked at."""
    if looked_at := guesses.wait(address, now) == 0:
        guesses.note_wrong(address, now)
    return looked_at


def test_some_wrong_tokens_cost_no_wait_and_the_next_one_does() -> None:
    guesses = Guesses()
    assert [guess(guesses, "a", 100.0) for _ in range(FREE + 5)] == [True] * FREE + [False] * 5
    assert guesses.wait("a", 100.0) == PERIOD


def test_nobody_waits_longer_than_one_period_however_many_come() -> None:
    guesses = Guesses()
    waits = []
    for tick in range(6_000):
        guess(guesses, "a", tick / 10)
        waits.append(guesses.wait("a", tick / 10))
    assert max(waits) == PERIOD


def test_one_address_does_not_wait_for_another() -> None:
    guesses = Guesses()
    for _ in range(FREE):
        guess(guesses, "a", 0.0)
    assert (guesses.wait("a", 0.0), guesses.wait("b", 0.0)) == (PERIOD, 0.0)


def test_what_was_wrong_is_forgotten() -> None:
    guesses = Guesses()
    for _ in range(FREE):
        guess(guesses, "a", 0.0)
    later = FREE * PERIOD
    assert [guess(guesses, "a", later) for _ in range(FREE + 1)] == [True] * FREE + [False]


def test_addresses_beyond_those_that_are_kept_share_one_count() -> None:
    guesses = Guesses()
    assert all(guess(guesses, f"kept {number}", 0.0) for number in range(ADDRESSES))
    assert sum(guess(guesses, f"more {number}", 0.0) for number in range(ADDRESSES)) == FREE
    assert len(guesses._forgotten) == ADDRESSES + 1
    assert guesses.wait("late", PERIOD) == 0  # the others are forgotten by then
