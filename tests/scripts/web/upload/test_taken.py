"""taken.lua: what all uploads take is known between two looks at them."""

import pytest

from services.broker.script import TRY, Script
from services.jobs import names
from services.web.upload.store import BEGIN, DROP, RESERVE, SEAL, SMALLEST, TAKEN
from tests.scripts.conftest import Node, run
from tests.scripts.web.upload.uploads import CLIENT, ID, LEASE, MOST, PREFIX, READING_TTL, TTL, UPLOAD, WEB, fields, keep

KNOWN = names.UPLOADS_TAKEN


def taken(node: Node) -> int:
    found = fields(node, KNOWN)
    assert found.get(CLIENT, found[""]) == found[""]
    return int(found[""])


def begin(node: Node) -> None:
    keys = [UPLOAD, names.UPLOADS, KNOWN]
    assert run(node.web, BEGIN, keys, ID, WEB, TTL, READING_TTL, PREFIX, MOST, RESERVE, SMALLEST, LEASE, CLIENT) == [b"begun"]


def drop(node: Node, owner: str = "") -> None:
    assert run(node.web, DROP, [UPLOAD, names.UPLOADS, KNOWN], ID, owner, names.notices(""), RESERVE) == 1


def seal(node: Node) -> None:
    assert run(node.web, SEAL, [UPLOAD, KNOWN], WEB, TTL, 1, 1, "f", 0, b"\x90", RESERVE, "") == 1


def test_of_a_look_that_is_long_ago_nothing_is_kept(node: Node, tmp_path_factory: pytest.TempPathFactory) -> None:
    call = tmp_path_factory.mktemp("scripts") / "call.lua"
    call.write_text("take_more(KEYS[1], ARGV[1], ARGV[2])")
    run(node.web, Script(TRY, TAKEN, call), [KNOWN], CLIENT, 7)
    assert not node.admin.exists(KNOWN)
    node.admin.hset(KNOWN, mapping={"": 1, CLIENT: 1})
    run(node.web, Script(TRY, TAKEN, call), [KNOWN], CLIENT, 7)
    assert taken(node) == 8


def test_one_that_was_read_counts_for_its_bytes(node: Node) -> None:
    begin(node)
    seal(node)
    assert taken(node) == SMALLEST
    drop(node)
    assert taken(node) == 0


def test_one_that_is_deleted_counts_for_nothing(node: Node) -> None:
    begin(node)
    drop(node)
    assert taken(node) == 0


def test_one_that_is_larger_than_the_reserve_is_not_counted_twice(node: Node) -> None:
    keep(node, bytes=RESERVE + 5, client=CLIENT)
    node.admin.hset(KNOWN, mapping={"": RESERVE + 5, CLIENT: RESERVE + 5})
    drop(node)
    assert taken(node) == 0
