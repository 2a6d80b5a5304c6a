"""Entries that workers hold, for tests of the scripts that move them."""

from typing import Any

from services.jobs import names
from services.jobs.names import GROUP, Lane
from tests.scripts.conftest import Node

STREAM = names.stream(Lane.HEAVY)
LEASE = 60_000  # ms


def held(node: Node, consumer: str, count: int = 1, *, idle: int, delivered: int = 1) -> list[bytes]:
    """So many new entries that this consumer holds, and renewed so many ms ago (before 0: in the future)."""
    ids = [node.admin.xadd(STREAM, {"jobs": n}) for n in range(count)]
    if not node.admin.xinfo_groups(STREAM):
        node.admin.xgroup_create(STREAM, GROUP, id="0")
    node.admin.xreadgroup(GROUP, consumer, {STREAM: ">"})
    seconds, microseconds = node.admin.time()
    begun = seconds * 1000 + microseconds // 1000 - idle
    node.admin.xclaim(STREAM, GROUP, consumer, 0, ids, time=begun, retrycount=delivered, justid=True)
    return ids


def pending(node: Node) -> dict[bytes, Any]:
    """All that is held."""
    return {each["message_id"]: each for each in node.admin.xpending_range(STREAM, GROUP, "-", "+", 10)}
