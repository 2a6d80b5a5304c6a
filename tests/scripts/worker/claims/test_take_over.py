"""take_over.lua: the oldest entry whose lease ran out goes to one worker, whatever Redis' clock did."""

from typing import Any

import pytest

from services.jobs import names
from services.jobs import turn as turns
from services.jobs.names import GROUP, Lane
from services.worker.claims.takeover import TAKE_OVER, take_over_call
from tests.scripts.conftest import Node, run
from tests.scripts.worker.claims.pending import LEASE, STREAM, held, pending


def take_over(node: Node, worker: str = "mine", *, most: int = 0) -> Any:
    keys, arguments = take_over_call(Lane.HEAVY, worker, LEASE, most)
    return run(node.worker, TAKE_OVER, keys, *arguments)


def test_the_oldest_overdue_entry_is_claimed_with_its_count_and_fields(node: Node) -> None:
    held(node, "living", idle=0)
    first, second = held(node, "dead", 2, idle=LEASE, delivered=3)
    assert take_over(node) == [3, [first, [b"jobs", b"0"]]]
    assert take_over(node, "other") == [3, [second, [b"jobs", b"1"]]]
    assert take_over(node) is None
    assert (pending(node)[first]["consumer"], pending(node)[first]["times_delivered"]) == (b"mine", 4)
    assert pending(node)[second]["consumer"] == b"other"


def test_an_entry_that_was_deleted_is_passed_over(node: Node) -> None:
    gone, left = held(node, "dead", 2, idle=LEASE)
    node.admin.xdel(STREAM, gone)
    assert take_over(node)[1][0] == left


def test_a_child_for_short_ones_goes_past_long_ones(node: Node) -> None:
    unknown, *_ = held(node, "dead", idle=LEASE)
    for cost in (500, 100):
        node.admin.xadd(STREAM, {"jobs": cost, "turn": turns.write("a", "x", cost)})
    ((_, ((long, _), (short, _))),) = node.admin.xreadgroup(GROUP, "dead", {STREAM: ">"})
    node.admin.xclaim(STREAM, GROUP, "dead", 0, [long, short], idle=LEASE, justid=True)
    assert take_over(node, most=100) == [1, [short, [b"jobs", b"100", b"turn", b"a x 100 0"]]]
    assert take_over(node, most=100) is None
    assert [take_over(node)[1][0] for _ in range(2)] == [unknown, long]


def test_a_lease_that_began_in_the_future_begins_anew(node: Node) -> None:
    (entry,) = held(node, "dead", idle=-50 * 60_000, delivered=2)
    assert take_over(node) is None
    assert pending(node)[entry]["consumer"] == b"dead"
    assert pending(node)[entry]["times_delivered"] == 2
    assert node.admin.xpending_range(STREAM, GROUP, "-", "+", 1, idle=LEASE) == []
    node.admin.xclaim(STREAM, GROUP, "dead", 0, [entry], idle=LEASE, justid=True)  # what time would do, since it goes on from now
    assert take_over(node)[1][0] == entry


def test_a_group_that_is_missing_is_an_error(node: Node) -> None:
    with pytest.raises(Exception, match="NOGROUP"):
        take_over(node)
    assert names.stream(Lane.HEAVY) == STREAM
