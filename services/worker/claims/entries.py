"""Reads stream entries into claims. Pure: no I/O, no clock."""

from collections.abc import Callable

import msgspec

from services.jobs import chunks, messages
from services.jobs.messages import Job
from services.jobs.names import Lane
from services.worker.claims.claim import ChunkClaim, Claim, JobsClaim, KnownClaim, RunClaim

Fields = dict[bytes, bytes]
ReadJobs = Callable[[bytes], list[Job]]  # MessagePack of a batch; raises msgspec.DecodeError


class Unreadable(ValueError):
    """The entry is none that a web process of this version writes; the text says why."""


def decode(
    lane: Lane, id: bytes, fields: Fields, deliveries: int, now: float, *, read_jobs: ReadJobs = messages.decode_jobs
) -> Claim:
    """The claim on an entry; `now` in ms since 1970. Raises Unreadable."""
    try:
        return _decode(lane, id, fields, deliveries, max(0, int(now - int(id.partition(b"-")[0]))), read_jobs=read_jobs)
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as error:
        raise Unreadable(f"unreadable entry: {error!r}") from error


def _decode(lane: Lane, id: bytes, fields: Fields, deliveries: int, queue_ms: int, *, read_jobs: ReadJobs) -> Claim:
    reply_to = fields[b"reply"].decode()
    if upload := fields.get(b"upload", b"").decode():
        return ChunkClaim(lane, id, reply_to, deliveries, queue_ms, upload, chunks.decode(fields[b"chunk"]))
    jobs = read_jobs(fields[b"jobs"])
    if b"known" in fields:
        return KnownClaim(lane, id, reply_to, deliveries, queue_ms, jobs, messages.decode_answer(fields[b"known"]))
    if lane is Lane.QUICK:
        return JobsClaim(lane, id, reply_to, deliveries, queue_ms, jobs)
    if not jobs:
        raise Unreadable("unreadable entry: expected the job of a run, came none")
    return RunClaim(lane, id, reply_to, deliveries, queue_ms, jobs[0])


def payload(fields: Fields) -> bytes:
    """What a dead letter holds of an entry that cannot be read."""
    return fields.get(b"jobs") or fields.get(b"chunk", b"")
