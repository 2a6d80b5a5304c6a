"""look.lua: where an upload stands."""

import pytest

from services.web.upload.store import LOOK
from tests.scripts.conftest import Node, run
from tests.scripts.web.upload.uploads import KEY, LEASE, TTL, UPLOAD, fields, keep, keep_key, now


def look(node: Node, first: int = 0, count: int = 4) -> list[object] | None:
    reply: list[object] | None = run(node.web, LOOK, [UPLOAD], LEASE, first, count)
    return reply


def test_there_is_no_upload(node: Node) -> None:
    assert look(node) is None


def test_an_upload_that_is_being_read(node: Node) -> None:
    keep(node, chunks=2, **{"0": "a"})
    assert look(node) == [b"reading", b"2", [b"a", b""]]


def test_an_upload_that_nobody_reads_any_more_is_interrupted(node: Node) -> None:
    keep(node, chunks=2, seen=now(node) - LEASE - 1_000)
    assert look(node) == [b"interrupted", b"2", []]


def test_an_upload_that_was_attended_in_the_future_is_interrupted_a_lease_after_the_look(node: Node) -> None:
    keep(node, seen=now(node) + 3_600_000)  # Redis' clock was set back
    assert look(node) == [b"reading", b"0", []]
    assert int(fields(node)["seen"]) <= now(node)
    node.admin.hincrby(UPLOAD, "seen", -LEASE - 1_000)
    assert look(node) == [b"interrupted", b"0", []]


def test_an_upload_that_its_owner_left_is_interrupted(node: Node) -> None:
    keep(node, state="interrupted", chunks=2)
    assert look(node) == [b"interrupted", b"2", []]


def test_an_upload_that_was_read_tells_its_lines_and_answers(node: Node) -> None:
    keep(node, state="read", chunks=1, lines=12, answers=10, **{"0": "a"})
    assert look(node) == [b"read", b"1", [b"a", b""], b"12", b"10", b""]


def test_an_outcome_has_the_origins_of_its_numbers_and_the_upload_its_form(node: Node) -> None:
    keep(node, state="read", chunks=2, lines=3, answers=2, form="ABC file", **{"0": "a", "1": "b", "o1": "from here"})
    assert look(node) == [b"read", b"2", [b"a", b"", b"b", b"from here"], b"3", b"2", b"ABC file"]


def test_outcomes_begin_at_the_first_and_end_at_the_count(node: Node) -> None:
    keep(node, chunks=5, **{str(number): f"outcome {number}" for number in range(5)})
    assert look(node, 1, 3) == [b"reading", b"5", [b"outcome 1", b"", b"outcome 2", b"", b"outcome 3", b""]]
    assert look(node, 4, 3) == [b"reading", b"5", [b"outcome 4", b""]]
    assert look(node, 0, 0) == [b"reading", b"5", []]


def test_outcomes_behind_one_that_is_missing_are_not_told(node: Node) -> None:
    keep(node, chunks=3, **{"0": "a", "2": "c"})
    assert look(node) == [b"reading", b"3", [b"a", b""]]


@pytest.mark.parametrize("state", ["read", "interrupted"])
def test_a_look_renews_an_upload_and_its_key_when_a_third_of_its_time_is_over(node: Node, state: str) -> None:
    keep(node, state=state, key=KEY, lines=0, answers=0)
    keep_key(node)
    for key in (UPLOAD, KEY):
        node.admin.expire(key, TTL * 2 // 3 - 1)
    look(node)
    for key in (UPLOAD, KEY):
        assert TTL - 2 < node.admin.ttl(key) <= TTL


def test_a_look_writes_nothing_before_a_third_of_the_time_is_over(node: Node) -> None:
    keep(node, state="read", key=KEY, lines=0, answers=0)
    keep_key(node)
    for key in (UPLOAD, KEY):
        node.admin.expire(key, TTL * 2 // 3 + 60)
    look(node)
    for key in (UPLOAD, KEY):
        assert node.admin.ttl(key) <= TTL * 2 // 3 + 60


def test_a_look_renews_an_upload_without_a_key(node: Node) -> None:
    keep(node, state="read", lines=0, answers=0)
    node.admin.expire(UPLOAD, 9)
    look(node)
    assert TTL - 2 < node.admin.ttl(UPLOAD) <= TTL


def test_a_look_does_not_renew_an_upload_that_is_being_read(node: Node) -> None:
    keep(node)
    node.admin.expire(UPLOAD, 9)
    look(node)
    assert node.admin.ttl(UPLOAD) <= 9
