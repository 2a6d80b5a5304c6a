"""How much of a lane's stream is under way, from what Redis tells of it (XLEN, XINFO GROUPS). No I/O."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.jobs.names import GROUP


def claimed(groups: Iterable[Mapping[str, Any]]) -> int:
    """Entries that a worker has; 0 before the first worker made the group."""
    return next((int(group["pending"]) for group in groups if group["name"] == GROUP.encode()), 0)


def waiting(length: int, groups: Iterable[Mapping[str, Any]]) -> int:
    """Entries that no worker has: not the group's lag, which Redis does not know after an entry was deleted out of order."""
    return max(0, length - claimed(groups))
