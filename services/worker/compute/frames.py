"""What a worker and its child process say to each other: four bytes of length (big endian), then MessagePack.

A job in, reports out. The child reads from a file and the worker from an asyncio stream; all else is the same at both ends.
"""

import asyncio
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from services.jobs.messages import Answer, Job, Verdict

LENGTH = 4  # bytes that announce a frame's length


class Report(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of a job so far or, at last, its answer, with the certificate that it names."""

    answer: Answer
    final: bool = True
    primo: bytes = b""  # the certificate as text in Primo's format
    pari: bytes = b""  # and in PARI's


READY = Report(Answer(0, Verdict.UNKNOWN), final=False)  # the child's first word: it takes jobs from here on

_encoder = msgspec.msgpack.Encoder()
_job = msgspec.msgpack.Decoder(Job)
_report = msgspec.msgpack.Decoder(Report)


def frame(message: Job | Report) -> bytes:
    """A message with its length before it."""
    payload = _encoder.encode(message)
    return len(payload).to_bytes(LENGTH, "big") + payload


def read_jobs(stream: BinaryIO) -> Iterator[Job]:
    """Jobs until the stream ends. Raises msgspec.DecodeError."""
    while header := stream.read(LENGTH):
        yield _job.decode(stream.read(int.from_bytes(header, "big")))


async def read_report(stream: asyncio.StreamReader) -> Report:
    """The next report. Raises asyncio.IncompleteReadError when the child ended."""
    length = int.from_bytes(await stream.readexactly(LENGTH), "big")
    return _report.decode(await stream.readexactly(length))
