"""give_back.lua: what a worker still holds can be had by the next one at once."""

from typing import Any

from services.jobs.messages import Job
from services.jobs.names import GROUP, Lane
from services.worker.claims.claim import RunClaim
from services.worker.claims.takeover import GIVE_BACK, RETURNED, TAKE_OVER, give_back_call, take_over_call
from tests.scripts.conftest import Node, run
from tests.scripts.worker.claims.pending import LEASE, STREAM, held, pending


def give_back(node: Node, *entries: bytes, deliveries: int = 1) -> Any:
    claims = [RunClaim(Lane.HEAVY, id, "web", deliveries, 0, Job(1, "97")) for id in entries]
    keys, arguments = give_back_call(Lane.HEAVY, "mine", claims, LEASE + 1)
    return run(node.worker, GIVE_BACK, keys, *arguments)


def test_an_entry_is_taken_over_at_once_as_if_it_had_not_been_delivered(node: Node) -> None:
    (entry,) = held(node, "mine", idle=0, delivered=3)
    assert give_back(node, entry, deliveries=3) == 1
    assert (pending(node)[entry]["consumer"], pending(node)[entry]["times_delivered"]) == (RETURNED.encode(), 2)
    keys, arguments = take_over_call(Lane.HEAVY, "other", LEASE)
    assert run(node.worker, TAKE_OVER, keys, *arguments)[1][0] == entry


def test_an_entry_that_another_worker_took_over_stays_its_own(node: Node) -> None:
    (taken,) = held(node, "other", idle=0)
    (mine,) = held(node, "mine", idle=0)
    assert give_back(node, taken, mine) == 1
    assert pending(node)[taken]["consumer"] == b"other"
    assert pending(node)[taken]["time_since_delivered"] < LEASE


def test_an_entry_that_is_gone_stays_gone(node: Node) -> None:
    (entry,) = held(node, "mine", idle=0)
    node.admin.xack(STREAM, GROUP, entry)
    assert give_back(node, entry) == 0
    assert pending(node) == {}


def test_nothing_is_given_without_a_group(node: Node) -> None:
    assert give_back(node, b"1-0") == 0
