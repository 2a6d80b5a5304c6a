"""The frames that a worker and its child processes exchange."""

import asyncio
from io import BytesIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.messages import Answer, Job, Operation, Verdict
from services.worker.compute.frames import LENGTH, READY, Report, decode_report, frame, read_jobs, read_payload

jobs = st.builds(Job, st.integers(1, 2**63 - 1), st.integers().map(str), st.sampled_from(Operation))


@given(st.lists(jobs))
def test_reads_every_job_until_the_stream_ends(batch: list[Job]) -> None:
    assert list(read_jobs(BytesIO(b"".join(map(frame, batch))))) == batch


def test_reads_a_number_of_a_million_digits() -> None:
    job = Job(1, "9" * 1_000_000)
    assert list(read_jobs(BytesIO(frame(job)))) == [job]


def test_hands_a_job_out_before_the_next_one_came() -> None:
    stream = BytesIO(frame(Job(1, "97")))
    assert next(read_jobs(stream)) == Job(1, "97")


@pytest.mark.parametrize("kept", range(1, len(frame(Job(1, "97")))))
def test_refuses_a_frame_that_was_cut(kept: int) -> None:
    with pytest.raises(msgspec.DecodeError, match="truncated"):
        list(read_jobs(BytesIO(frame(Job(1, "97"))[:kept])))


def test_refuses_a_frame_that_holds_no_job() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `int`, got `str`"):
        list(read_jobs(BytesIO(framed(["97", "97"]))))


def test_refuses_a_job_with_an_operation_that_is_unknown() -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'is_semiprime'"):
        list(read_jobs(BytesIO(framed([1, "97", "is_semiprime"]))))


def test_reads_report_after_report_until_the_child_ends() -> None:
    last = Report(Answer(7, Verdict.PRIME), primo=b"a certificate", pari=b"the same")

    async def scenario() -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(frame(READY) + frame(last))
        stream.feed_eof()
        assert [decode_report(await read_payload(stream)) for _ in range(2)] == [READY, last]
        with pytest.raises(asyncio.IncompleteReadError):
            await read_payload(stream)

    asyncio.run(scenario())


def framed(message: object) -> bytes:
    """What no end of ours writes."""
    payload = msgspec.msgpack.encode(message)
    return len(payload).to_bytes(LENGTH, "big") + payload
