"""What a worker and its child process say to each other: four bytes of length (big endian), then MessagePack.

A job in, reports out; in between a number whose proof is made in parts, and what came of that. The child reads from a file and the
worker from an asyncio stream; all else is the same at both ends.
"""

import asyncio
from collections.abc import Iterator
from typing import IO, BinaryIO

import msgspec

from services.jobs.messages import Answer, Job, Verdict

LENGTH = 4  # bytes that announce a frame's length


class Report(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of a job so far or, at last, its answer, with the certificate that it names."""

    answer: Answer
    final: bool = True
    primo: bytes = b""  # the certificate as text in Primo's format
    pari: bytes = b""  # and in PARI's
    chain: str = ""  # not final: the number, in decimal, of which the child waits for a Certified or an Uncertified


class Found(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="found"):
    """A step of the certificate that is being made, which can be verified before the others are there."""

    step: bytes  # its text in PARI's format


class Certified(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="certified"):
    """A certificate was made in parts."""

    pari: bytes  # its text in PARI's format


class Uncertified(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="uncertified"):
    """There is none."""

    reason: str


READY = Report(Answer(0, Verdict.UNKNOWN), final=False)  # the child's first word: it takes jobs from here on

_encoder = msgspec.msgpack.Encoder()
_job = msgspec.msgpack.Decoder(Job)
_report = msgspec.msgpack.Decoder(Report)
_of_parts: msgspec.msgpack.Decoder[Found | Certified | Uncertified] = msgspec.msgpack.Decoder(Found | Certified | Uncertified)


def encode(message: Job | Report | Found | Certified | Uncertified) -> bytes:
    """As it stands in a frame."""
    return _encoder.encode(message)


def frame(message: Job | Report | Found | Certified | Uncertified) -> bytes:
    """A message with its length before it."""
    return framed(encode(message))


def framed(payload: bytes) -> bytes:
    """What is encoded already, with its length before it."""
    return len(payload).to_bytes(LENGTH, "big") + payload


def write_payload(stream: IO[bytes], payload: bytes) -> None:
    """In a frame, at once. Raises BrokenPipeError when nobody reads any more."""
    stream.write(framed(payload))
    stream.flush()


def read_payloads(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands in frames, until the stream ends."""
    while header := stream.read(LENGTH):
        yield stream.read(int.from_bytes(header, "big"))


def read_jobs(stream: BinaryIO) -> Iterator[Job]:
    """Jobs until the stream ends. Raises msgspec.DecodeError."""
    return map(_job.decode, read_payloads(stream))


def read_of_parts(stream: BinaryIO) -> Iterator[Found | Certified | Uncertified]:
    """What comes of a proof in parts, the last one being no Found. Raises EOFError when the worker ended, msgspec.DecodeError."""
    yield from map(_of_parts.decode, read_payloads(stream))
    raise EOFError("the worker ended while a proof was made in parts")


async def read_payload(stream: asyncio.StreamReader) -> bytes:
    """What stands in the next frame. Raises asyncio.IncompleteReadError when the child ended."""
    length = int.from_bytes(await stream.readexactly(LENGTH), "big")
    return await stream.readexactly(length)


def decode_report(payload: bytes) -> Report:
    """What stands in a frame that the child wrote. Raises msgspec.DecodeError."""
    return _report.decode(payload)
