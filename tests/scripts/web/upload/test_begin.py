"""begin.lua: an upload begins, or its idempotency key has one, or there is no room."""

import pytest

from services.jobs import names
from services.web.upload.store import BEGIN, RESERVE, SMALLEST
from tests.scripts.conftest import Node, run
from tests.scripts.web.upload.uploads import (
    CLIENT,
    ID,
    KEY,
    LEASE,
    MOST,
    OTHER,
    PREFIX,
    READING_TTL,
    TTL,
    UPLOAD,
    WEB,
    fields,
    keep,
    keep_key,
    now,
)  # fmt: skip


def begin(node: Node, key: str = "", most: int = MOST, id: str = ID, client: str = CLIENT) -> list[bytes | int]:
    keys = [names.upload(id), names.UPLOADS, names.UPLOADS_TAKEN, *([key] if key else [])]
    reply: list[bytes | int] = run(node.web, BEGIN, keys, id, WEB, TTL, READING_TTL, PREFIX, most, RESERVE, SMALLEST, LEASE, client)
    return reply


def test_an_upload_without_a_key_lives_a_minute_unless_somebody_says_that_it_is_read(node: Node) -> None:
    before = now(node)
    assert begin(node) == [b"begun"]
    found = fields(node)
    assert before <= int(found.pop("seen")) <= now(node)
    assert found == {
        "state": "reading", "owner": WEB, "ttl": str(TTL), "chunks": "0", "stored": "0", "bytes": str(SMALLEST),
        "client": CLIENT
    }  # fmt: skip
    assert READING_TTL - 2 < node.admin.ttl(UPLOAD) <= READING_TTL
    assert before <= node.admin.zscore(names.UPLOADS, ID) <= now(node)


def test_an_upload_with_a_key_and_the_key_live_as_long_as_answers_do(node: Node) -> None:
    assert begin(node, KEY) == [b"begun"]
    assert fields(node)["key"] == KEY
    assert fields(node, KEY) == {"id": ID}
    for key in (UPLOAD, KEY):
        assert TTL - 2 < node.admin.ttl(key) <= TTL


def test_a_key_whose_upload_is_being_read_tells_its_id(node: Node) -> None:
    keep(node, OTHER, seen=now(node))
    keep_key(node, OTHER)
    assert begin(node, KEY) == [b"reading", OTHER.encode()]
    assert not node.admin.exists(UPLOAD)


def test_a_key_whose_upload_was_attended_in_the_future_is_free_a_lease_after_the_look(node: Node) -> None:
    former = keep(node, OTHER, seen=now(node) + 3_600_000)  # Redis' clock was set back
    keep_key(node, OTHER)
    assert begin(node, KEY) == [b"reading", OTHER.encode()]
    node.admin.hincrby(former, "seen", -LEASE - 1_000)
    assert begin(node, KEY) == [b"begun"]


def test_a_key_whose_upload_was_read_tells_its_id_and_its_fingerprint(node: Node) -> None:
    keep(node, OTHER, state="read", fingerprint="f" * 64, seen=0)
    keep_key(node, OTHER)
    assert begin(node, KEY) == [b"kept", OTHER.encode(), b"f" * 64]
    assert not node.admin.exists(UPLOAD)


@pytest.mark.parametrize("state", ["interrupted", "reading"])
def test_an_interrupted_upload_gives_its_key_to_a_new_one(node: Node, state: str) -> None:
    former = keep(node, OTHER, state=state, seen=now(node) - LEASE - 1_000)  # nobody has read it since
    keep_key(node, OTHER)
    assert begin(node, KEY) == [b"begun"]
    assert not node.admin.exists(former)
    assert fields(node, KEY) == {"id": ID}
    assert node.admin.zrange(names.UPLOADS, 0, -1) == [ID.encode()]


def test_a_key_whose_upload_expired_is_given_to_a_new_one(node: Node) -> None:
    keep_key(node, OTHER)
    assert begin(node, KEY) == [b"begun"]
    assert fields(node, KEY) == {"id": ID}


def test_what_has_expired_leaves_the_index(node: Node) -> None:
    node.admin.zadd(names.UPLOADS, {OTHER: 1})
    assert begin(node) == [b"begun"]
    assert node.admin.zrange(names.UPLOADS, 0, -1) == [ID.encode()]


def test_an_upload_that_was_read_counts_for_its_bytes(node: Node) -> None:
    keep(node, OTHER, state="read", bytes=1_000)
    assert begin(node, most=RESERVE + 999)[:1] == [b"full"]
    assert not node.admin.exists(UPLOAD)
    assert begin(node, most=RESERVE + 1_000) == [b"begun"]


def test_an_upload_that_is_being_read_counts_for_the_reserve_at_least(node: Node) -> None:
    keep(node, OTHER, bytes=1_000)
    assert begin(node, most=2 * RESERVE - 1)[:1] == [b"full"]
    assert begin(node, most=2 * RESERVE) == [b"begun"]


def test_an_upload_that_is_being_read_and_is_larger_than_the_reserve_counts_for_its_bytes(node: Node) -> None:
    keep(node, OTHER, bytes=RESERVE + 1_000)
    assert begin(node, most=2 * RESERVE + 999)[:1] == [b"full"]
    assert begin(node, most=2 * RESERVE + 1_000) == [b"begun"]


def test_all_are_counted_once_a_second_and_what_begins_meanwhile_counts_at_once(node: Node) -> None:
    keep(node, "upload", state="read", bytes=1_000)
    keep(node, OTHER, state="read", bytes=500, client=CLIENT)
    assert begin(node, most=4 * RESERVE) == [b"begun"]
    assert fields(node, names.UPLOADS_TAKEN) == {"": str(RESERVE + 1_500), CLIENT: str(RESERVE + 500)}
    assert 0 < node.admin.pttl(names.UPLOADS_TAKEN) <= 1_000
    keep(node, "another", state="read", bytes=3 * RESERVE)  # not looked at
    assert begin(node, most=3 * RESERVE + 1_999, id="third") == [b"full", RESERVE + 1_500, RESERVE + 500]
    assert begin(node, most=3 * RESERVE + 2_000, id="third") == [b"begun"]
    node.admin.delete(names.UPLOADS_TAKEN)  # as a second later
    assert begin(node, most=5 * RESERVE, id="fourth")[:1] == [b"full"]


def test_a_client_may_take_as_much_as_is_free_and_others_the_rest(node: Node) -> None:
    keep(node, OTHER, state="read", bytes=3 * RESERVE, client=CLIENT)
    most = 7 * RESERVE
    assert begin(node, most=most, id="fourth") == [b"begun"]
    assert begin(node, most=most, id="fifth") == [b"full", 4 * RESERVE, 4 * RESERVE]
    assert begin(node, most=most, id="sixth", client="192.0.2.9") == [b"begun"]


def test_uploads_that_name_no_client_count_for_nobody(node: Node) -> None:
    keep(node, OTHER, state="read", bytes=3 * RESERVE)  # of the former release
    assert begin(node, most=4 * RESERVE) == [b"begun"]
    assert fields(node, names.UPLOADS_TAKEN) == {"": str(4 * RESERVE), CLIENT: str(RESERVE)}


def test_a_look_that_cannot_be_read_is_made_anew(node: Node) -> None:
    node.admin.set(names.UPLOADS_TAKEN, "of another type")
    assert begin(node) == [b"begun"]
    assert fields(node, names.UPLOADS_TAKEN) == {"": str(RESERVE), CLIENT: str(RESERVE)}


def test_a_key_keeps_its_upload_where_there_is_no_room_for_another(node: Node) -> None:
    keep(node, OTHER, state="read", fingerprint="f")
    keep_key(node, OTHER)
    assert begin(node, KEY, most=0) == [b"kept", OTHER.encode(), b"f"]
