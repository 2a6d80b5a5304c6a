"""What a process tells redis-py of its settings, and how long it waits before it tries Redis again."""

from typing import Any

import pytest

from services.broker.connection import Backoff, connect
from services.broker.sentinel import PrimaryPool
from services.broker.tls import Papers
from services.runtime.settings import Settings


def told(settings: Settings) -> list[Any]:
    """What the connections to Redis, and to the Sentinels that were named, show and believe."""
    pool = connect(settings).connection_pool
    sentinels = pool.sentinel_manager.sentinels if isinstance(pool, PrimaryPool) else []
    pools = [pool, *(sentinel.connection_pool for sentinel in sentinels)]
    return [each.connection_kwargs.get("papers") for each in pools]


@pytest.mark.parametrize(("url", "servers"), [("rediss://a:1", 1), ("rediss+sentinel://a:1,b:2/primes", 3)])
def test_over_tls_redis_and_sentinels_are_shown_the_same(url: str, servers: int) -> None:
    papers = told(Settings(redis_url=url, _cli_parse_args=[]))
    assert len(papers) == servers and isinstance(papers[0], Papers) and {*papers} == {papers[0]}


@pytest.mark.parametrize("url", ["redis://a:1", "unix:///a", "sentinel://a:1,b:2/primes"])
def test_without_tls_nothing_is_shown(url: str) -> None:
    assert {*told(Settings(redis_url=url, _cli_parse_args=[]))} == {None}


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
