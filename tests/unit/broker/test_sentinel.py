"""What a Sentinel's replies say of the primary."""

from typing import Any

import pytest
from redis.exceptions import ConnectionError, NoPermissionError

from services.broker.sentinel import Known, read

FIRST, SECOND = ("192.0.2.1", 6379), ("192.0.2.2", 6379)


def states(**changed: Any) -> dict[str, dict[str, Any]]:
    """As redis-py parses SENTINEL MASTERS of three Sentinels."""
    state = {
        **{"ip": FIRST[0], "port": FIRST[1], "is_master": True, "is_sdown": False, "is_odown": False},
        **{"num-other-sentinels": 2, "config-epoch": 7, "quorum": 2},
    }
    return {"primes": {**state, **changed}}


def told(address: tuple[str, int]) -> tuple[bytes, int]:
    return address[0].encode(), address[1]


@pytest.mark.parametrize(
    ("masters", "address", "known"),
    [
        (states(), told(FIRST), Known(7, FIRST, True, 2)),
        (states(is_sdown=True), told(FIRST), Known(7, FIRST, False, 2)),
        (states(is_odown=True), told(FIRST), Known(7, FIRST, False, 2)),
        (states(is_sdown=True), told(SECOND), Known(7, SECOND, True, 2)),  # promoted, and the failover is not over
        (states(), NoPermissionError("of a former release"), Known(7, FIRST, True, 2)),
        (states(**{"num-other-sentinels": 4}), told(FIRST), Known(7, FIRST, True, 3)),
        (states(quorum=3), told(FIRST), Known(7, FIRST, True, 3)),
        (states(), None, None),
        ({}, told(FIRST), None),
        (ConnectionError("gone"), ConnectionError("gone"), None),
    ],
)
def test_what_a_sentinel_says(masters: Any, address: Any, known: Known | None) -> None:
    assert read("primes", masters, address) == known
