"""append.lua: a chunk's entry goes into its lane, if the upload is there and the lane has room."""

import pytest

from services.jobs import names
from services.jobs import turn as turns
from services.jobs.names import GROUP, Lane
from services.web.upload.store import APPEND
from tests.scripts.conftest import Node, heard, run
from tests.scripts.web.upload.uploads import ID, UPLOAD, WEB, fields, keep

QUICK, HEAVY = names.stream(Lane.QUICK), names.stream(Lane.HEAVY)
BELL = names.bell(Lane.HEAVY)
CHUNK = b"\x93\x00\x01\xa12"


def append(
    node: Node, number: int = 0, *, stream: str = QUICK, bell: str = "", most: int = 10, turn: str = "", origins: bytes = b""
) -> bytes | None:
    reply: bytes | None = run(node.web, APPEND, [stream, UPLOAD], GROUP, bell, most, WEB, ID, number, CHUNK, turn, origins)
    return reply


def test_the_entry_says_whose_chunk_it_is(node: Node) -> None:
    keep(node)
    entry = append(node)
    assert node.admin.xrange(QUICK) == [(entry, {b"reply": WEB.encode(), b"upload": ID.encode(), b"chunk": CHUNK})]
    assert fields(node)["chunks"] == "1"


def test_a_chunk_that_is_sent_again_is_not_counted_again(node: Node) -> None:
    keep(node, chunks=5)
    append(node, 2)
    assert fields(node)["chunks"] == "5"
    append(node, 5)
    assert fields(node)["chunks"] == "6"


def test_a_costly_one_waits_for_its_turn(node: Node) -> None:
    keep(node)
    entry = append(node, stream=HEAVY, turn=turns.write("192.0.2.1", ID, 700))
    assert node.admin.xrange(HEAVY)[0][1][b"turn"] == f"192.0.2.1 {ID} 700 0".encode()
    assert node.admin.zrange(f"{HEAVY}:turns:192.0.2.1", 0, -1) == [entry]


def test_origins_are_kept_and_counted_with_their_chunk_once(node: Node) -> None:
    keep(node, bytes=100)
    append(node, 0, origins=b"from here")
    append(node, 0, origins=b"from here")
    assert fields(node)["o0"] == "from here"
    assert fields(node)["bytes"] == str(100 + len(b"from here") + 64)


@pytest.mark.parametrize("owner", [None, "web1"])
def test_nothing_is_queued_for_an_upload_that_is_gone_or_of_another_owner(node: Node, owner: str | None) -> None:
    if owner:
        keep(node, owner=owner)
    assert append(node) is None
    assert node.admin.xlen(QUICK) == 0


def test_a_full_lane_takes_nothing(node: Node) -> None:
    keep(node)
    append(node, 0, most=1)
    assert append(node, 1, most=1) == b""
    assert node.admin.xlen(QUICK) == 1
    assert fields(node)["chunks"] == "1"


def test_the_bell_rings_where_nothing_waits(node: Node) -> None:
    keep(node)
    node.admin.xgroup_create(HEAVY, GROUP, 0, mkstream=True)
    listener = node.listen(BELL)
    append(node, 0, stream=HEAVY, bell=BELL)
    assert heard(listener) == [(BELL, b"")]


def test_the_bell_rings_where_all_that_is_there_is_being_worked_on(node: Node) -> None:
    keep(node)
    node.admin.xgroup_create(HEAVY, GROUP, 0, mkstream=True)
    append(node, 0, stream=HEAVY)
    node.admin.xreadgroup(GROUP, "worker", {HEAVY: ">"})
    listener = node.listen(BELL)
    append(node, 1, stream=HEAVY, bell=BELL)
    assert heard(listener) == [(BELL, b"")]


def test_the_bell_is_silent_where_an_entry_waits_that_has_rung_it(node: Node) -> None:
    keep(node)
    node.admin.xgroup_create(HEAVY, GROUP, 0, mkstream=True)
    append(node, 0, stream=HEAVY)
    listener = node.listen(BELL)
    append(node, 1, stream=HEAVY, bell=BELL)
    assert heard(listener) == []
    assert node.admin.xlen(HEAVY) == 2
