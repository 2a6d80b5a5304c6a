"""A client that had its share of the time waits while others are served, and has all of it while it is alone."""

import asyncio
import functools
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator

import pytest

from services.web import shares
from services.web.shares import BURST, MOST_WAITING, REQUEST, STEP, Crowded, Share, Shares

SECONDS = 20  # a bound for what takes milliseconds
TINY = 1e-9  # part of the time: nothing comes back within a test


def spend(share: Share, name: str = "another") -> Share:
    """Have it spend all that it has, while another is served; returns that one."""
    another = share.shares.get(name)
    share.shares.change(share)
    share.shares.change(another)
    share.left = -5_000.0
    return another


def in_loop(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a test in a loop of its own, within the bound."""

    @functools.wraps(test)
    def run(**given: object) -> None:
        asyncio.run(asyncio.wait_for(test(**given), SECONDS))

    return run


async def settle() -> None:
    """Let all that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


@in_loop
async def test_a_client_that_is_alone_has_all_of_the_time() -> None:
    share = Shares(TINY).get("one")
    for _ in range(3):
        share.shares.change(share)
        share.left = -1e6
        assert await share.turn() is False
        assert share.left == BURST


@in_loop
async def test_one_that_had_its_share_waits_while_another_is_served() -> None:
    share = Shares(TINY).get("one")
    another = spend(share)
    waiting = [asyncio.create_task(share.turn()) for _ in range(3)]
    await settle()
    assert not any(task.done() for task in waiting)
    assert await another.turn() is False
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def work(seconds: float) -> None:
    """Compute for so long."""
    since = time.thread_time()
    while time.thread_time() - since < seconds:
        pass


def test_what_is_measured_is_counted_as_far_as_it_was_not_yet() -> None:
    share = Shares(0.5).get("one")
    since = time.thread_time()
    work(0.01)
    assert share.spend(since, counted=4_000) >= 6_000
    assert share.left <= BURST - 6_000
    left = share.left
    assert share.spend(time.thread_time(), counted=1e9) == 0
    assert share.left == left


def test_what_it_takes_to_make_each_is_counted_and_nothing_else() -> None:
    def make() -> Iterator[int]:
        for number in range(3):
            work(0.01)
            yield number
        work(0.01)

    share = Shares(0.5).get("one")
    begun, elsewhere, made = time.thread_time(), 0.0, []
    for number in share.meter(make()):
        since = time.thread_time()
        made.append(number)
        work(0.01)
        elsewhere += time.thread_time() - since
    assert made == [0, 1, 2]
    assert 40_000 <= BURST - share.left <= (time.thread_time() - begun - elsewhere) * 1e6


@in_loop
async def test_those_that_wait_go_on_in_their_order_each_when_the_last_has_counted_what_it_did() -> None:
    share = Shares(0.5).get("one")
    spend(share)
    order: list[int] = []

    async def work(number: int) -> None:
        assert await share.turn()
        assert share.left > 0
        order.append(number)
        share.left -= 2_000

    await asyncio.gather(*map(work, range(5)))
    assert order == list(range(5))
    assert share.idle


@in_loop
async def test_whoever_waits_goes_on_once_the_client_is_alone_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "ALONE", 0.05)
    share = Shares(TINY).get("one")
    spend(share)
    assert await share.turn()


@in_loop
async def test_one_that_waits_is_not_alone_while_another_is_served_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "ALONE", 0.05)
    monkeypatch.setattr(shares, "LOOK", 0.01)
    share = Shares(TINY).get("one")
    another = spend(share)
    waiting = asyncio.create_task(share.turn())
    until = time.monotonic() + 5 * shares.ALONE
    while time.monotonic() < until:
        share.shares.change(another)
        await asyncio.sleep(0)
    assert not waiting.done()
    await waiting


@in_loop
async def test_a_waiter_that_is_cancelled_holds_up_nobody() -> None:
    share = Shares(0.5).get("one")
    spend(share)
    share.left = -5_000.0
    first, second = (asyncio.create_task(share.turn()) for _ in range(2))
    await settle()
    first.cancel()
    assert await second
    assert share.idle


@in_loop
async def test_at_the_end_of_the_process_nobody_waits() -> None:
    of_all = Shares(TINY)
    share = of_all.get("one")
    spend(share)
    waiting = asyncio.create_task(share.turn())
    await settle()
    of_all.lift()
    assert await waiting
    assert await share.turn() is False


@in_loop
async def test_without_a_bound_nothing_is_counted() -> None:
    share = Shares(1.0).get("one")
    spend(share)
    assert await share.turn() is False
    assert Shares(1.0).get("one").left == math.inf


@in_loop
async def test_a_request_begins_at_once_within_the_share_and_waits_beyond_it() -> None:
    share = Shares(0.5).get("one")
    assert share.begin(REQUEST) is None
    assert share.left == BURST - REQUEST
    spend(share)
    turn = share.begin(REQUEST)
    assert turn is not None
    assert await turn
    assert share.requests == 0


@in_loop
async def test_more_requests_than_may_wait_are_told_when_to_come_again() -> None:
    share = Shares(0.125).get("one")
    spend(share)
    share.left = -1e6
    turns: list[Awaitable[bool]] = [turn for _ in range(MOST_WAITING) if (turn := share.begin(REQUEST)) is not None]
    assert len(turns) == MOST_WAITING
    with pytest.raises(Crowded) as refused:
        share.begin(REQUEST)
    assert refused.value.seconds == pytest.approx((1e6 + MOST_WAITING * REQUEST) / 1e6 / 0.125)
    share.shares.lift()
    await asyncio.gather(*turns)
    assert share.requests == 0


@in_loop
async def test_idle_clients_are_forgotten_and_those_with_sockets_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "MOST", 10)
    of_all = Shares(0.5)
    held = of_all.get("held")
    held.sockets = 1
    for number in range(50):
        of_all.get(str(number))
    assert len(of_all._shares) <= 11
    assert of_all.get("held") is held


@in_loop
async def test_the_same_client_is_no_other_one_though_it_was_forgotten() -> None:
    of_all = Shares(TINY)
    of_all.change(of_all.get("one"))
    of_all._shares.clear()
    share = of_all.get("one")
    of_all.change(share)
    share.left = -5_000.0
    assert await share.turn() is False


def test_the_part_of_a_client_is_halved_down_to_a_quarter_while_the_machine_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "LOOK", 0.0)
    told = iter([True, True, True, False, False])
    of_all = Shares(0.5, lambda: next(told, False))
    share = of_all.get("one")
    parts = []
    for _ in range(5):
        of_all.refill(share)
        parts.append(1 / of_all.seconds(1e6))
    assert parts == pytest.approx([0.25, 0.125, 0.125, 0.125 + 0.5 * STEP, 0.125 + STEP])
    for _ in range(100):
        of_all.refill(share)
    assert 1 / of_all.seconds(1e6) == pytest.approx(0.5)


@in_loop
async def test_a_full_machine_bounds_nobody_where_there_is_no_bound_or_none_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "LOOK", 0.0)
    unbound, lifted = Shares(1.0, lambda: True), Shares(TINY, lambda: True)
    lifted.lift()
    for of_all in (unbound, lifted):
        share = of_all.get("one")
        assert await share.turn() is False
        spend(share)
        assert await share.turn() is False


def test_the_machine_is_looked_at_now_and_then_only() -> None:
    looks: list[None] = []

    def full() -> bool:
        looks.append(None)
        return True

    began, of_all = time.monotonic(), Shares(0.5, full)
    for _ in range(1_000):
        of_all.refill(of_all.get("one"))
    assert len(looks) <= (time.monotonic() - began) / shares.LOOK
