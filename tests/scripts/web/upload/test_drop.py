"""drop.lua: an upload is deleted, or left to its idempotency key."""

from services.jobs import names
from services.web.upload.store import DROP, RESERVE
from tests.scripts.conftest import Node, heard, run
from tests.scripts.web.upload.uploads import ID, KEY, OTHER, UPLOAD, WEB, fields, keep, keep_key

CHANNEL = names.notices(WEB)


def drop(node: Node, owner: str = "") -> int:
    reply: int = run(node.web, DROP, [UPLOAD, names.UPLOADS, names.UPLOADS_TAKEN], ID, owner, names.notices(""), RESERVE)
    return reply


def test_deletes_an_upload_with_its_key_and_tells_its_owner(node: Node) -> None:
    keep(node, key=KEY)
    keep_key(node)
    listener = node.listen(CHANNEL)
    assert drop(node) == 1
    assert node.admin.keys("*") == []
    assert heard(listener) == [(CHANNEL, ID.encode())]


def test_leaves_a_key_that_belongs_to_a_newer_upload(node: Node) -> None:
    keep(node, key=KEY)
    keep_key(node, OTHER)
    assert drop(node) == 1
    assert fields(node, KEY) == {"id": OTHER}
    assert not node.admin.exists(UPLOAD)


def test_an_owner_leaves_an_upload_to_its_key(node: Node) -> None:
    keep(node, key=KEY)
    keep_key(node)
    listener = node.listen(CHANNEL)
    assert drop(node, WEB) == 1
    assert fields(node)["state"] == "interrupted"
    assert fields(node, KEY) == {"id": ID}
    assert node.admin.zrange(names.UPLOADS, 0, -1) == [ID.encode()]
    assert heard(listener) == []


def test_an_owner_deletes_an_upload_without_a_key(node: Node) -> None:
    keep(node)
    assert drop(node, WEB) == 1
    assert node.admin.keys("*") == []


def test_another_owner_changes_nothing(node: Node) -> None:
    keep(node, key=KEY)
    before = fields(node)
    listener = node.listen(CHANNEL)
    assert drop(node, "web1") == 0
    assert fields(node) == before
    assert heard(listener) == []


def test_there_is_nothing_to_delete(node: Node) -> None:
    listener = node.listen(CHANNEL)
    assert drop(node) == drop(node, WEB) == 0
    assert heard(listener) == []
