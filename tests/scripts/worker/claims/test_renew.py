"""renew.lua: leases that a consumer still holds begin anew, the others are told."""

from typing import Any

from services.jobs import names
from services.jobs.names import GROUP, Lane
from services.worker.claims.renewal import RENEW, renew_call
from tests.scripts.conftest import Node, run

STREAM = names.stream(Lane.HEAVY)
HOUR = 3_600_000  # ms


def claimed(node: Node, consumer: str, count: int = 1) -> list[bytes]:
    """So many new entries that this consumer claimed an hour ago, for the third time."""
    ids = [node.admin.xadd(STREAM, {"jobs": n}) for n in range(count)]
    if not node.admin.xinfo_groups(STREAM):
        node.admin.xgroup_create(STREAM, GROUP, id="0")
    node.admin.xreadgroup(GROUP, consumer, {STREAM: ">"})
    node.admin.xclaim(STREAM, GROUP, consumer, 0, ids, idle=HOUR, retrycount=3)
    return ids


def renew(node: Node, *entries: bytes) -> Any:
    keys, arguments = renew_call(Lane.HEAVY, "mine", entries)
    return run(node.worker, RENEW, keys, *arguments)


def pending(node: Node) -> dict[bytes, Any]:
    return {each["message_id"]: each for each in node.admin.xpending_range(STREAM, GROUP, "-", "+", 10)}


def test_a_lease_that_is_held_begins_anew_and_the_deliveries_stay(node: Node) -> None:
    first, second = claimed(node, "mine", 2)
    assert renew(node, first) == []
    assert pending(node)[first]["time_since_delivered"] < HOUR / 2
    assert pending(node)[first]["times_delivered"] == 3
    assert pending(node)[second]["time_since_delivered"] >= HOUR  # nobody asked for it


def test_an_entry_that_another_worker_took_over_is_lost_and_stays_that_workers(node: Node) -> None:
    (mine,) = claimed(node, "mine")
    (taken,) = claimed(node, "other")
    assert renew(node, taken, mine) == [taken]
    assert pending(node)[taken]["consumer"] == b"other"
    assert pending(node)[taken]["time_since_delivered"] >= HOUR


def test_an_entry_that_was_acknowledged_is_lost(node: Node) -> None:
    (entry,) = claimed(node, "mine")
    node.admin.xack(STREAM, GROUP, entry)
    assert renew(node, entry) == [entry]
    assert pending(node) == {}


def test_all_are_lost_without_a_group(node: Node) -> None:
    entry = node.admin.xadd(STREAM, {"jobs": 1})
    assert renew(node, entry) == [entry]


def test_all_are_lost_without_a_stream(node: Node) -> None:
    assert renew(node, b"1-0", b"2-0") == [b"1-0", b"2-0"]
    assert node.admin.keys("*") == []
