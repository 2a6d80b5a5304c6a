"""attend.lua: an upload is renewed, and its chunks are looked for."""

import msgspec
import pytest

from services.jobs import names
from services.web.upload.store import ATTEND, RESERVE
from tests.scripts.conftest import Node, run
from tests.scripts.web.upload.uploads import (
    CLIENT,
    KEY,
    MOST,
    OTHER,
    PREFIX,
    STREAMS,
    TTL,
    UPLOAD,
    WEB,
    fields,
    keep,
    keep_key,
    now,
)  # fmt: skip

QUICK, HEAVY = STREAMS
ABSENT = "1-0"  # no entry has this id


def attend(
    node: Node, *chunks: tuple[int, str, str], ttl: int = TTL, most: int = MOST, web: str = WEB, answered: int = 0, sealed: int = 0
) -> list[bytes] | bytes | None:  # fmt: skip
    encoded = msgspec.msgpack.encode(chunks)
    keys = [UPLOAD, names.UPLOADS, *STREAMS]
    reply: list[bytes] | bytes | None = run(node.web, ATTEND, keys, web, ttl, PREFIX, most, RESERVE, encoded, answered, sealed)
    return reply


def test_says_when_it_was_read_and_renews_it_with_its_key(node: Node) -> None:
    keep(node, seen=0, key=KEY)
    keep_key(node, ttl=9)
    before = now(node)
    assert attend(node, ttl=500) == []
    assert before <= int(fields(node)["seen"]) <= now(node)
    for key in (UPLOAD, KEY):
        assert 498 <= node.admin.ttl(key) <= 500


def test_an_upload_without_a_key_is_renewed_alone(node: Node) -> None:
    keep(node)
    assert attend(node, ttl=500) == []
    assert 498 <= node.admin.ttl(UPLOAD) <= 500
    assert node.admin.exists(KEY) == 0


@pytest.mark.parametrize("owner", [None, "web1"])
def test_an_upload_that_is_gone_or_of_another_owner_is_left_alone(node: Node, owner: str | None) -> None:
    if owner:
        keep(node, owner=owner, seen=0)
    assert attend(node) is None
    assert fields(node).get("seen", "0") == "0"


@pytest.mark.parametrize(("state", "stored", "sealed"), [("reading", 1, 0), ("reading", 2, 1), ("read", 1, 1)])
def test_an_upload_that_lacks_what_it_had_goes(node: Node, state: str, stored: int, sealed: int) -> None:
    keep(node, state=state, stored=stored)
    assert attend(node, answered=2, sealed=sealed) is None
    assert node.admin.exists(UPLOAD) == 0


@pytest.mark.parametrize(("state", "stored", "sealed"), [("reading", 3, 0), ("read", 2, 1), ("read", 2, 0)])
def test_an_upload_that_has_more_than_its_process_knows_goes_on(node: Node, state: str, stored: int, sealed: int) -> None:
    keep(node, state=state, stored=stored)
    assert attend(node, answered=2, sealed=sealed) == []


def test_tells_of_each_chunk_in_the_order_of_the_question(node: Node) -> None:
    keep(node, **{"2": "an outcome"})
    quick = node.admin.xadd(QUICK, {"chunk": 0}).decode()
    heavy = node.admin.xadd(HEAVY, {"chunk": 3}).decode()
    chunks = (3, "heavy", heavy), (0, "quick", quick), (1, "quick", ABSENT), (2, "quick", ABSENT)
    assert attend(node, *chunks) == [b"waiting", b"waiting", b"lost", b"answered"]


def test_a_chunk_is_looked_for_in_its_own_lane(node: Node) -> None:
    keep(node)
    entry = node.admin.xadd(HEAVY, {"chunk": 0}, id=ABSENT).decode()
    assert attend(node, (0, "quick", entry), (0, "heavy", entry)) == [b"lost", b"waiting"]


def test_a_chunk_whose_outcome_is_there_is_answered_although_its_entry_is_too(node: Node) -> None:
    keep(node, **{"0": "an outcome"})
    entry = node.admin.xadd(QUICK, {"chunk": 0}).decode()
    assert attend(node, (0, "quick", entry)) == [b"answered"]


def test_a_large_upload_ends_when_all_together_take_too_much(node: Node) -> None:
    keep(node, bytes=RESERVE + 1)
    keep(node, OTHER, state="read", bytes=1_000)
    assert attend(node, most=RESERVE + 1_000) == b"full"
    assert attend(node, most=RESERVE + 1_001) == []


def test_a_small_upload_goes_on_although_all_together_take_too_much(node: Node) -> None:
    keep(node, bytes=RESERVE)
    assert attend(node, most=0) == []


def test_an_upload_that_was_read_goes_on_although_all_together_take_too_much(node: Node) -> None:
    keep(node, state="read", bytes=RESERVE + 1)
    assert attend(node, most=0) == []


def test_what_has_expired_takes_nothing(node: Node) -> None:
    keep(node, bytes=RESERVE + 1)
    node.admin.zadd(names.UPLOADS, {OTHER: 1})
    assert attend(node, most=RESERVE + 1) == []


def test_a_large_one_is_full_where_its_client_has_more_than_half(node: Node) -> None:
    keep(node, bytes=RESERVE + 1, client=CLIENT)
    keep(node, OTHER, state="read", bytes=RESERVE, client=CLIENT)
    assert attend(node, most=4 * RESERVE) == b"full"
    assert attend(node, most=4 * RESERVE + 2) == []
    node.admin.hset(names.upload(OTHER), "client", "192.0.2.2")
    assert attend(node, most=4 * RESERVE) == []
