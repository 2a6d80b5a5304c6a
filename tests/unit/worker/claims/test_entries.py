"""Stream entries become claims, one type for each kind."""

import msgspec
import pytest

from services.jobs import chunks, messages
from services.jobs.chunks import Chunk
from services.jobs.messages import Answer, Job, Verdict
from services.jobs.names import Lane
from services.worker.claims.claim import ChunkClaim, JobsClaim, KnownClaim, RunClaim, jobs_of
from services.worker.claims.entries import Fields, Unreadable, decode, payload

ID = b"1000-0"
NOW = 1_025.0  # ms, after the entry was written at 1,000
JOBS = [Job(1, "97"), Job(2, "91")]
BATCH: Fields = {b"reply": b"web", b"jobs": messages.encode(JOBS)}


def test_quick_jobs_are_a_batch() -> None:
    assert decode(Lane.QUICK, ID, BATCH, 2, NOW) == JobsClaim(Lane.QUICK, ID, "web", 2, 25, JOBS)


@pytest.mark.parametrize("lane", [Lane.HEAVY, Lane.PROOF])
def test_a_costly_job_is_a_run_of_who_asked_first(lane: Lane) -> None:
    assert decode(lane, ID, BATCH, 1, NOW) == RunClaim(lane, ID, "web", 1, 25, JOBS[0])


def test_quick_jobs_may_have_a_known_answer_which_becomes_that_of_each() -> None:
    known = Answer(9, Verdict.PRIME, "BPSW", queue_ms=3)
    claim = decode(Lane.QUICK, ID, {**BATCH, b"known": messages.encode(known)}, 1, NOW)
    assert claim == KnownClaim(Lane.QUICK, ID, "web", 1, 25, JOBS, known)
    assert isinstance(claim, KnownClaim)
    assert claim.answers() == [Answer(n, Verdict.PRIME, "BPSW", queue_ms=25) for n in (1, 2)]


@pytest.mark.parametrize("lane", [Lane.QUICK, Lane.HEAVY])
def test_lines_of_an_upload_are_a_chunk_in_any_lane(lane: Lane) -> None:
    chunk = Chunk(3, 1_501, "97\n91")
    fields: Fields = {b"reply": b"web", b"upload": b"an-id", b"chunk": chunks.encode(chunk)}
    assert decode(lane, ID, fields, 1, NOW) == ChunkClaim(lane, ID, "web", 1, 25, "an-id", chunk)


def test_no_entry_waited_for_less_than_nothing() -> None:
    assert decode(Lane.QUICK, ID, BATCH, 1, 900.0).queue_ms == 0  # two clocks


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({b"jobs": b"\xc1 is never MessagePack"}, "DecodeError"),
        ({b"reply": b"\xff"}, "UnicodeDecodeError"),
        ({b"known": b"\xc1"}, "DecodeError"),
        ({b"upload": b"an-id"}, "KeyError"),
        ({b"upload": b"an-id", b"chunk": b"\xc1"}, "DecodeError"),
        ({b"jobs": msgspec.msgpack.encode([[1, "97", "is_semiprime"]])}, "Invalid enum value 'is_semiprime'"),
    ],
)
def test_says_why_an_entry_cannot_be_read(change: Fields, reason: str) -> None:
    with pytest.raises(Unreadable, match=f"unreadable entry: .*{reason}"):
        decode(Lane.QUICK, ID, {**BATCH, **change}, 1, NOW)


@pytest.mark.parametrize("missing", [b"reply", b"jobs"])
def test_refuses_an_entry_without(missing: bytes) -> None:
    fields = {name: value for name, value in BATCH.items() if name != missing}
    with pytest.raises(Unreadable, match="unreadable entry: KeyError"):
        decode(Lane.QUICK, ID, fields, 1, NOW)


def test_refuses_a_run_without_a_job() -> None:
    with pytest.raises(Unreadable, match="expected the job of a run, came none"):
        decode(Lane.HEAVY, ID, {**BATCH, b"jobs": messages.encode(list[Job]())}, 1, NOW)


def test_a_dead_letter_holds_what_the_entry_holds() -> None:
    assert payload(BATCH) == BATCH[b"jobs"]
    assert payload({b"upload": b"an-id", b"chunk": b"lines"}) == b"lines"
    assert payload({}) == b""


def test_the_clients_of_jobs_and_runs_may_ask_how_far_they_are() -> None:
    assert jobs_of(decode(Lane.QUICK, ID, BATCH, 1, NOW)) == JOBS
    assert jobs_of(decode(Lane.HEAVY, ID, BATCH, 1, NOW)) == JOBS[:1]
    assert jobs_of(ChunkClaim(Lane.QUICK, ID, "web", 1, 0, "an-id", Chunk(0, 1, "97"))) == []
