"""seal.lua: an upload was read to its end."""

from collections.abc import Sequence

import msgspec
import pytest

from services.jobs import names
from services.web.upload.store import RESERVE, SEAL
from tests.scripts.conftest import Node, run
from tests.scripts.web.upload.uploads import KEY, TTL, UPLOAD, WEB, fields, keep, keep_key


def seal(node: Node, queued: int = 0, pending: Sequence[int] = ()) -> int:
    arguments = WEB, 500, 12, 10, "f" * 64, queued, msgspec.msgpack.encode(pending)
    reply: int = run(node.web, SEAL, [UPLOAD, names.UPLOADS_TAKEN], *arguments, RESERVE, "ABC file")
    return reply


def test_says_what_was_read_and_renews_it_with_its_key(node: Node) -> None:
    keep(node, chunks=3, stored=3, key=KEY)
    keep_key(node, ttl=9)
    assert seal(node, 3) == 1
    expected = {"state": "read", "lines": "12", "answers": "10", "fingerprint": "f" * 64, "chunks": "3", "form": "ABC file"}
    assert fields(node).items() >= expected.items()
    for key in (UPLOAD, KEY):
        assert 498 <= node.admin.ttl(key) <= 500


def test_an_upload_without_a_key_is_renewed_alone(node: Node) -> None:
    keep(node)
    assert seal(node) == 1
    assert 498 <= node.admin.ttl(UPLOAD) <= 500
    assert node.admin.exists(KEY) == 0


def test_an_upload_of_another_owner_is_left_alone(node: Node) -> None:
    keep(node, owner="web1")
    before = fields(node)
    assert seal(node) == 0
    assert fields(node) == before
    assert node.admin.ttl(UPLOAD) > TTL - 2


def test_an_upload_that_is_gone_does_not_come_back(node: Node) -> None:
    assert seal(node) == 0
    assert node.admin.exists(UPLOAD) == 0


@pytest.mark.parametrize("chunks", [2, 3])
def test_an_upload_whose_outcomes_redis_lost_is_not_sealed_but_goes(node: Node, chunks: int) -> None:
    keep(node, chunks=chunks, stored=1, **{"0": "outcome"})
    assert seal(node, 3, [2]) == 0
    assert node.admin.exists(UPLOAD) == 0


def test_chunks_that_are_pending_or_have_an_outcome_of_which_nobody_heard_count_once(node: Node) -> None:
    keep(node, chunks=2, stored=2, **{"0": "outcome", "1": "outcome"})  # the third one was lost with its number
    assert seal(node, 3, [1, 2]) == 1
    assert fields(node)["chunks"] == "3"
