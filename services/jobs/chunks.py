"""Chunks of an upload: some of its lines on the way to a worker, and what became of them on the way back."""

import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from services.jobs.evidence import Evidence
from services.jobs.messages import Answer, Fault, Job, Verdict

BLANK = 0xFFFF  # code of a line without anything on it
REFUSED = 0xFFFE  # code of a line that is no integer, or too large a one

T = TypeVar("T")

HEAD = struct.Struct(">I")  # a chunk's first line; in front of its outcome, where Redis' scripts read it


class Refusal(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A line without an integer that may be computed."""

    index: int  # of the line in its chunk, from 0
    code: str  # of the error
    message: str


class Chunk(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Lines that travel and are computed together: hundreds of cheap ones, or a costly one alone."""

    number: int  # 0, 1, 2, … within the upload
    first: int  # number of the first line, from 1
    text: str  # decimal integers with a newline between each two; nothing where a line is blank or refused
    refused: list[Refusal] = []

    @property
    def lines(self) -> list[str]:
        """The integers, empty where there is none."""
        return self.text.split("\n")

    def jobs(self) -> list[Job]:
        """One job a number; its id is the index of the line."""
        return [Job(index, line) for index, line in enumerate(self.lines) if line]


class Result(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was found of a number; every number of a chunk of which the same was found shares it."""

    verdict: Verdict
    method: str
    fault: Fault | None = None
    evidence: Evidence | None = None


class Outcome:
    """What became of each line of a chunk: a code a line, and what the codes mean."""

    def __init__(self, first: int, codes: "array[int]", results: list[Result], refused: list[Refusal]) -> None:
        self.first = first
        self.codes = codes
        self.results = results
        self.refused = refused

    @classmethod
    def of_answers(cls, chunk: Chunk, answers: Iterable[Answer]) -> "Outcome":
        """From the answers to `chunk.jobs()`."""
        codes = blank_codes(chunk)
        results: dict[Result, int] = {}
        for answer in answers:
            result = Result(answer.verdict, answer.method, answer.fault, answer.evidence)
            codes[answer.id] = results.setdefault(result, len(results))
        return cls(chunk.first, codes, list(results), chunk.refused)

    def tell(self, after: int, found: Callable[[Result], T], refused: Callable[[Refusal], T]) -> list[tuple[int, T]]:
        """Each line behind `after` that has something on it: its number and what is told of it, which is made once a result."""
        results = [found(result) for result in self.results]
        refusals = {self.first + refusal.index: refused(refusal) for refusal in self.refused}
        skipped = max(0, after + 1 - self.first)
        return [
            (place, refusals[place] if code == REFUSED else results[code])
            for place, code in enumerate(self.codes[skipped:], self.first + skipped)
            if code != BLANK
        ]

    def tally(self) -> Iterator[tuple[Result, int]]:
        """Each result and how many lines have it."""
        for code, result in enumerate(self.results):
            yield result, self.codes.count(code)


def blank_codes(chunk: Chunk) -> "array[int]":
    """A code for each line, as it is before any number was examined."""
    codes = array("H", [BLANK]) * (chunk.text.count("\n") + 1)
    for refusal in chunk.refused:
        codes[refusal.index] = REFUSED
    return codes


class _Packed(msgspec.Struct, array_like=True, gc=False):
    codes: bytes  # two a line, the low one first
    results: list[Result]
    refused: list[Refusal]


_encoder = msgspec.msgpack.Encoder()
_chunk = msgspec.msgpack.Decoder(Chunk)
_packed = msgspec.msgpack.Decoder(_Packed)


def encode(chunk: Chunk) -> bytes:
    """MessagePack of a chunk."""
    return _encoder.encode(chunk)


def decode(payload: bytes) -> Chunk:
    """A chunk from a stream entry; raises msgspec.DecodeError for anything else."""
    try:
        return _chunk.decode(payload)
    except UnicodeDecodeError as error:  # text that is no text
        raise msgspec.DecodeError(str(error)) from error


def pack(outcome: Outcome) -> bytes:
    """As it is kept in Redis: about nine bits a line for random numbers of 64 bits."""
    packed = _Packed(_swapped(outcome.codes).tobytes(), outcome.results, outcome.refused)
    return HEAD.pack(outcome.first) + zlib.compress(_encoder.encode(packed), 1)


def unpack(payload: bytes) -> Outcome:
    """The outcome that was packed; raises ValueError for anything else."""
    try:
        (first,) = HEAD.unpack_from(payload)
        packed = _packed.decode(zlib.decompress(memoryview(payload)[HEAD.size :]))
    except (struct.error, zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"expected the outcome of a chunk: {error}") from error
    return Outcome(first, _swapped(array("H", packed.codes)), packed.results, packed.refused)


def _swapped(codes: "array[int]") -> "array[int]":
    """A copy in the other order of bytes where this machine's is not the usual one."""
    if sys.byteorder == "big":
        codes = array("H", codes)
        codes.byteswap()
    return codes
