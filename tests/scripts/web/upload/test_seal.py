"""seal.lua: an upload was read to its end."""

from services.web.upload.store import SEAL
from tests.scripts.conftest import Node, run
from tests.scripts.web.upload.uploads import KEY, TTL, UPLOAD, WEB, fields, keep, keep_key


def seal(node: Node) -> int:
    reply: int = run(node.web, SEAL, [UPLOAD], WEB, 500, 12, 10, "f" * 64)
    return reply


def test_says_what_was_read_and_renews_it_with_its_key(node: Node) -> None:
    keep(node, chunks=3, key=KEY)
    keep_key(node, ttl=9)
    assert seal(node) == 1
    expected = {"state": "read", "lines": "12", "answers": "10", "fingerprint": "f" * 64, "chunks": "3"}
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
