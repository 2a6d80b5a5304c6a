"""An upload as its web process holds it: whether it is still read, and which of its chunks have no outcome yet."""

import asyncio
from dataclasses import dataclass, field

from services.jobs.chunks import Chunk
from services.jobs.names import Lane

WEIGHTS = {Lane.QUICK: 1, Lane.HEAVY: 4}  # of a chunk: what it keeps others waiting, roughly


@dataclass(slots=True)
class PendingChunk:
    """A chunk without an outcome."""

    chunk: Chunk
    lane: Lane
    payload: bytes
    turn: str  # that a heavy one takes (services/jobs/turn.py); empty for quick ones
    origins: bytes = b""  # where its numbers come from; empty for plain lists
    entry: bytes = b""
    written: float = 0.0  # time.monotonic(), once it has an entry
    losses: int = 0


@dataclass(slots=True, eq=False)
class Upload:
    """An upload that this process reads, or has read and still follows."""

    id: str
    keyed: bool
    client: str
    reading: bool = True
    queued: int = 0  # chunks that have got an entry, with an outcome or not
    answered: int = 0  # chunks that have their outcomes
    gone: bool = False  # from Redis, or given up: nothing more is written
    pending: dict[int, PendingChunk] = field(default_factory=dict)  # by chunk
    full: bool = False  # gone because all uploads together took too much
    news: asyncio.Event = field(default_factory=asyncio.Event)  # set when a chunk has its outcome, or the upload ended

    @property
    def weight(self) -> int:
        """Of its chunks without an outcome."""
        return sum(WEIGHTS[pending.lane] for pending in self.pending.values())
