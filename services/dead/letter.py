"""A dead letter: what it holds, how it is shown, what becomes of it when it is tried again. No I/O."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from services.jobs.messages import SENTENCES, Answer, Job, Operation, decode_jobs
from services.jobs.names import Lane

ENDS = 10  # characters of a number, or of unreadable bytes, shown from each of its ends
LATEST = 253_402_300_799_000  # milliseconds, the end of the year 9999: the id of an entry that somebody wrote by hand may be above
REASON = 60  # characters of a reason in the table: errors that quote what they met can be long

HEADER = ("id", "when (UTC)", "lane", "number", "operation", "reason", "worker")


class Summary(msgspec.Struct, frozen=True):
    """A dead letter for people: what is long is shortened, and nothing in it is a command to a terminal."""

    id: str
    when: str  # UTC
    lane: str
    number: str
    operation: str
    reason: str
    worker: str
    obstacle: str  # why it cannot be tried again; empty if it can


class JobRecord(msgspec.Struct, frozen=True):
    """A job for machines: without the session of its client, whose token lets whoever knows it resume it."""

    number: str
    operation: Operation
    expression: bool


class LetterRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A dead letter for machines."""

    id: str
    time: str  # ISO 8601
    lane: str
    reason: str
    worker: str
    jobs: list[JobRecord]
    payload: str = ""  # hexadecimal, where it cannot be read


@dataclass(frozen=True, slots=True)
class Letter:
    """One entry of the dead letters' stream, which may hold anything."""

    id: str
    lane: str
    payload: bytes
    jobs: list[Job]  # one, as workers write them; none when the payload cannot be read
    reason: str
    worker: str

    @classmethod
    def read(cls, id: bytes, fields: Mapping[bytes, bytes]) -> "Letter":
        """From an entry as Redis tells it."""
        lane, reason, worker = (_text(fields.get(name, b"")) for name in (b"lane", b"reason", b"worker"))
        payload = fields.get(b"jobs", b"")
        try:
            jobs = decode_jobs(payload)
        except msgspec.DecodeError:
            jobs = []
        return cls(id.decode(), lane, payload, jobs, reason, worker)

    @property
    def when(self) -> datetime:
        """When it was set aside, by Redis' clock."""
        return datetime.fromtimestamp(min(int(self.id.partition("-")[0]), LATEST) / 1000, UTC)

    @property
    def obstacle(self) -> str:
        """Why it cannot be tried again; empty if it can."""
        if not self.jobs:
            return f"cannot be retried: expected a batch of jobs, got {_shorten_bytes(self.payload)}"
        if self.lane not in set(Lane):
            return f"cannot be retried: expected one of the lanes {', '.join(Lane)}, got {self.lane!r}"
        return ""

    @property
    def retry_lane(self) -> Lane:
        """Where it is tried again: its own lane, but never the quick one, whose jobs run in the worker's own process.

        It ended a process before; now that is a child's.
        """
        lane = Lane(self.lane)
        return Lane.HEAVY if lane is Lane.QUICK else lane

    def again(self, first: int) -> list[Job]:
        """Its jobs as they are asked again, numbered from `first`: their clients had their answers long ago."""
        return [
            msgspec.structs.replace(job, id=id, session="", request="", expires=0) for id, job in enumerate(self.jobs, start=first)
        ]

    def summary(self) -> Summary:
        """The essence of it."""
        number, operation = f"unreadable: {_shorten_bytes(self.payload)}", ""
        if self.jobs:
            first, *others = self.jobs
            number = show_number(first) + (f" and {len(others)} more" if others else "")
            operation = first.operation
        reason = self.reason if len(self.reason) <= REASON else self.reason[: REASON - 1] + "…"
        parts = self.id, f"{self.when:%Y-%m-%d %H:%M:%S}", self.lane, number, operation, reason, self.worker, self.obstacle
        return Summary(*map(_printable, parts))

    def row(self) -> tuple[str, ...]:
        """The cells of its line in the table; see HEADER."""
        *cells, _ = msgspec.structs.astuple(self.summary())
        return tuple(cells)

    def json(self) -> str:
        """The whole of it on one line."""
        jobs = [JobRecord(job.number, job.operation, job.expression) for job in self.jobs]
        payload = "" if jobs else self.payload.hex()
        record = LetterRecord(self.id, self.when.isoformat(), self.lane, self.reason, self.worker, jobs, payload)
        return msgspec.json.encode(record).decode()


def identify(text: str) -> str:
    """An id in the form in which Redis tells it. Raises ValueError."""
    parts = re.fullmatch(r"([0-9]{1,20})-([0-9]{1,20})", text)
    if parts is None or any(int(part) >= 1 << 64 for part in parts.groups()):
        raise ValueError(f"expected an id such as 1795452075294-0, got {text!r}")
    return "-".join(str(int(part)) for part in parts.groups())


def table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Lines with the cells under one another."""
    lines = [HEADER, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def show_number(job: Job) -> str:
    """The number or expression, its middle left out when it is long."""
    short = _printable(_shorten(job.number))
    return short if job.expression or len(short) == len(job.number) else f"{short} ({len(job.number.lstrip('-')):,} digits)"


def show_answer(answer: Answer) -> str:
    """What became of a job that was tried again."""
    by = f" ({answer.method})" if answer.method else ""
    if answer.fault is not None:
        known = f"; until then: {answer.best}{by}" if answer.best else ""
        return f"failed, {answer.fault}: {SENTENCES[answer.fault]}{known}"
    found = f"{_shorten(answer.number)} is " if answer.number else ""
    return f"{found}{answer.verdict}{by}, computed in {answer.compute_us / 1e6:.3f} s"


def _text(field: bytes) -> str:
    return field.decode(errors="backslashreplace")


def _shorten(text: str) -> str:
    return text if len(text) <= 2 * ENDS + 1 else f"{text[:ENDS]}…{text[-ENDS:]}"


def _shorten_bytes(payload: bytes) -> str:
    """Bytes in hexadecimal, and how many there are."""
    return f"{len(payload):,} bytes {_shorten(payload.hex())}".rstrip()


def _printable(text: str) -> str:
    """Without what a terminal would take for a command: a dead letter may hold anything."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
