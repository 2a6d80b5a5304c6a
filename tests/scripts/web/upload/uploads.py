"""Uploads as the scripts' tests find them in Redis."""

from services.jobs import names
from services.jobs.names import Lane
from services.web.upload.store import READ_LEASE, READ_TTL, SMALLEST
from tests.scripts.conftest import Node

WEB = "web0"
CLIENT = "192.0.2.1"
ID, OTHER = "upload-of-the-test", "another-upload"
UPLOAD = names.upload(ID)
KEY, OTHER_KEY = names.upload_key("digest-of-a-key"), names.upload_key("digest-of-another-key")
TTL, READING_TTL = 3_600, READ_TTL  # seconds
LEASE = int(READ_LEASE * 1000)  # ms
MOST = 128 << 20  # bytes of all uploads
PREFIX = names.upload("")
STREAMS = [names.stream(Lane.QUICK), names.stream(Lane.HEAVY)]


def now(node: Node) -> int:
    """The time by Redis' clock, in ms."""
    seconds, microseconds = node.admin.time()
    return int(seconds * 1000 + microseconds // 1000)


def keep(node: Node, id: str = ID, **fields: str | int) -> str:
    """An upload that is being read, but for the fields that are given; its key."""
    upload = names.upload(id)
    usual: dict[str, str | int] = {
        "state": "reading", "owner": WEB, "seen": now(node), "ttl": TTL, "chunks": 0, "stored": 0, "bytes": SMALLEST
    }  # fmt: skip
    node.admin.hset(upload, mapping=usual | fields)
    node.admin.expire(upload, TTL)
    node.admin.zadd(names.UPLOADS, {id: 1})
    return upload


def keep_key(node: Node, id: str = ID, key: str = KEY, ttl: int = TTL) -> str:
    """An idempotency key that belongs to this upload; its name."""
    node.admin.hset(key, "id", id)
    node.admin.expire(key, ttl)
    return key


def fields(node: Node, key: str = UPLOAD) -> dict[str, str]:
    """A hash, as text."""
    return {name.decode(): value.decode() for name, value in node.admin.hgetall(key).items()}
