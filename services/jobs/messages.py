"""What travels through Redis: batches of jobs one way, batches of answers the other."""

import enum
import hashlib
from typing import Any, TypeVar

import msgspec

from services.jobs import evidence
from services.jobs.evidence import Evidence


class Operation(enum.StrEnum):
    """What a client can ask of a number."""

    IS_PRIME = "is_prime"
    NEXT_PRIME = "next_prime"  # the least prime above it
    PREVIOUS_PRIME = "previous_prime"  # the greatest prime below it
    FACTOR = "factor"  # what divides it


class Wanted(enum.StrEnum):
    """How far a client wants its question to be answered."""

    VERDICT = ""  # whatever the tests say; short, since nearly every job carries it
    PROOF = "proof"  # a prime is proven
    CERTIFICATE = "certificate"  # and the proof is one to keep, though the tests are proof enough for a small number
    # Likewise of the prime that is found; words of their own, since workers of the former release would prove the number asked.
    FOUND_PROOF = "proof of what is found"
    FOUND_CERTIFICATE = "certificate of what is found"

    @property
    def kept(self) -> bool:
        """Whether it is a proof to keep."""
        return self in {Wanted.CERTIFICATE, Wanted.FOUND_CERTIFICATE}


def want(operation: Operation, *, proof: bool, certificate: bool) -> Wanted:
    """What a client wants that asks for these."""
    if not (proof or certificate):
        return Wanted.VERDICT
    if operation is Operation.IS_PRIME:
        return Wanted.CERTIFICATE if certificate else Wanted.PROOF
    return Wanted.FOUND_CERTIFICATE if certificate else Wanted.FOUND_PROOF


class Verdict(enum.StrEnum):
    """What is known of a number when its job ends."""

    PRIME = "prime"  # proven
    COMPOSITE = "composite"  # proven
    NEITHER = "neither"  # below 2
    PROBABLY_PRIME = "probably_prime"  # passed every test, not proven
    UNKNOWN = "unknown"  # the job failed; `Answer.fault` says why

    @property
    def proven(self) -> bool:
        """Whether it is certain rather than probable."""
        return self not in _UNPROVEN


_UNPROVEN = frozenset({Verdict.PROBABLY_PRIME, Verdict.UNKNOWN})


class Fault(enum.StrEnum):
    """Why a job ended without a verdict."""

    POISON = "poison"  # it ended its process again and again: dead-lettered
    DEADLINE = "deadline"  # it took longer than a job, or its request, may
    LOST = "lost"  # it was written to Redis again and again, and vanished each time
    CANCELLED = "cancelled"  # its client wanted it no longer
    NO_INTEGER = "no_integer"  # a division in its expression leaves a remainder
    UNPROVEN = "unproven"  # it passed every test, and no certificate could be made


SENTENCES = {
    Fault.POISON: "The job ended the process that ran it, several times, and was set aside",
    Fault.DEADLINE: "The job took longer than the server, or its own request, allows",
    Fault.LOST: "The job was lost on its way, several times",
    Fault.CANCELLED: "The client cancelled the job",
    Fault.NO_INTEGER: "The expression has no integer value: a division leaves a remainder",
    Fault.UNPROVEN: "The number passed every test, but the proof failed",
}


# New fields go last and have a default: an old process reads what a new one writes, and the other way round. A new
# value of an enum is not read by an old process: deploy its readers first.
class Job(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One question: `id` is unique within the web process that asks, `number` canonical decimal ("-12") or an expression."""

    id: int
    number: str
    operation: Operation = Operation.IS_PRIME
    session: str = ""  # token of the client's session; empty for plain and HTTP clients
    request: str = ""  # the client's own id of its request, as canonical JSON text; without a session nginx' id, for logs
    expires: int = 0  # ms since 1970, by the clock of the web process; nobody wants an answer after that; 0: always
    expression: bool = False  # whether `number` is to be evaluated
    wanted: Wanted = Wanted.VERDICT


class TracedJob(Job, array_like=True, frozen=True, gc=False):
    """A job that somebody wants to follow. The others, which are nearly all, have no room for what it carries."""

    trace: str = ""  # W3C traceparent of the span that is the whole job


def trace_of(job: Job) -> str:
    """Its traceparent; empty where it is not traced, or this process was not told to look."""
    return job.trace if isinstance(job, TracedJob) else ""


def digest(job: Job) -> str:
    """What is the same for all jobs that ask the same: SHA-256 (hexadecimal) of the question. `2^3` and `8` are two."""
    return hashlib.sha256(f"{job.operation} {job.wanted} {job.number}".encode()).hexdigest()


class Value(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What an expression is worth."""

    digits: int
    text: str = ""  # canonical decimal; "" where it has more than MOST_SHOWN digits


MOST_SHOWN = 1_000  # digits of a value that an answer carries


class Divisor(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A divisor, how often it stands in the number, and what is known of it; evidence where it is composite."""

    number: str  # canonical decimal
    multiplicity: int
    verdict: Verdict
    evidence: Evidence | None = None


class Factors(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was found of a number: the product of all, each as often as it stands there, is its absolute value."""

    found: list[Divisor]  # the least one first; a composite one is a divisor that was not split further
    cofactor: Divisor | None = None  # what is left: composite, or 0 for the number 0

    @property
    def complete(self) -> bool:
        """Whether all are prime, or passed every test."""
        return self.cofactor is None and all(part.verdict is not Verdict.COMPOSITE for part in self.found)


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One answer: `id` is the job's; times are of the worker's clock."""

    id: int
    verdict: Verdict
    method: str = ""
    queue_ms: int = 0
    compute_us: int = 0
    fault: Fault | None = None
    evidence: Evidence | None = None  # what shows that the verdict is right
    best: Verdict | None = None  # where time ran out: what the tests say that were done until then, by `method`
    number: str = ""  # the prime that an operation found (canonical decimal), of which the verdict speaks
    value: Value | None = None  # of the expression that was asked about, where it was one
    factors: Factors | None = None  # where they were asked for

    @property
    def proven(self) -> bool:
        """Whether the verdict is certain rather than probable."""
        return self.verdict.proven


def describe_value(answer: Answer) -> dict[str, int | str]:
    """JSON fields of an answer to an expression: the digits of its value, and the value unless it has too many; none otherwise."""
    if answer.value is None:
        return {}
    shown = {"value": answer.value.text} if answer.value.text else {}
    return {"digits": answer.value.digits, **shown}


def describe_factors(answer: Answer) -> dict[str, Any]:
    """JSON fields of an answer that has factors; none otherwise."""
    if (factors := answer.factors) is None:
        return {}
    found = [
        {"factor": part.number, "multiplicity": part.multiplicity, "verdict": part.verdict.value, **_show(part)}
        for part in factors.found
    ]
    left = factors.cofactor
    cofactor = {"cofactor": {"number": left.number, "verdict": left.verdict.value, **_show(left)}} if left else {}
    return {"factors": found, **cofactor, "complete": factors.complete}


def _show(part: Divisor) -> dict[str, Any]:
    return {"evidence": evidence.describe(part.evidence)} if part.evidence else {}


def describe_unknown(answer: Answer) -> dict[str, Any]:
    """JSON fields of an error that say what is known when time ran out or the proof failed; none for other faults."""
    if answer.fault not in (Fault.DEADLINE, Fault.UNPROVEN):
        return {}
    known = {} if answer.best is None else describe_best(answer.best, answer)
    return {"verdict": Verdict.UNKNOWN.value, **known, **describe_factors(answer)}


def describe_best(best: Verdict, answer: Answer) -> dict[str, str]:
    """JSON fields that say what the tests found, and of which prime where it is not the number that was asked about."""
    found = {"number": answer.number} if answer.number else {}
    return {"best": best.value, "method": answer.method, **found}


class Delivery(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One answer on its way to a session: put together by finish.lua, which alone knows epoch and number."""

    session: str
    request: str
    reply_to: str  # web process whose ledger holds the job
    answer: Answer
    epoch: int
    number: int  # 1, 2, 3, … within the epoch


class Asker(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A client that waits for an answer; fields as in `Job`. In Redis it stands among a run's askers, by `names.asker`."""

    session: str = ""
    request: str = ""
    expires: int = 0
    trace: str = ""  # W3C traceparent: in Redis that of `TracedJob`; before, what the client sent with its request


def asker_of(job: Job) -> Asker:
    """Who asks it, as it stands among the askers of a run."""
    return Asker(job.session, job.request, job.expires, trace_of(job))


ANYBODY = Asker()  # a client of whom nothing needs to be known but where it asked


class Promotion(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A run is in the lane of proofs now, since its number passed the tests: put together by promote.lua."""

    entry: str  # its id there
    answer: Answer  # what is known so far
    askers: list[tuple[str, Asker]]  # names.asker() of each


T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_jobs = msgspec.msgpack.Decoder(list[Job])
_traced_jobs = msgspec.msgpack.Decoder(list[TracedJob])
_answers = msgspec.msgpack.Decoder(list[Answer])
_answer = msgspec.msgpack.Decoder(Answer)
_kept = msgspec.msgpack.Decoder(tuple[str, Answer])
_deliveries = msgspec.msgpack.Decoder(list[Delivery])
_asker = msgspec.msgpack.Decoder(Asker)
_promotion = msgspec.msgpack.Decoder(Promotion)


def encode(batch: list[Job] | list[Answer] | Answer | Asker | str) -> bytes:
    """MessagePack of a batch, or of one answer, asker or request's id that a script puts into one."""
    return _encoder.encode(batch)


def decode_jobs(payload: bytes) -> list[Job]:
    """The jobs of a stream entry; raises msgspec.DecodeError for anything else."""
    return _decode(_jobs, payload)


def decode_traced_jobs(payload: bytes) -> list[Job]:
    """Likewise, with what they carry for tracing."""
    return [*_decode(_traced_jobs, payload)]


def decode_answers(payload: bytes) -> list[Answer]:
    """The answers of one publication; raises msgspec.DecodeError for anything else."""
    return _decode(_answers, payload)


def decode_answer(payload: bytes) -> Answer:
    """One answer; raises msgspec.DecodeError for anything else."""
    return _decode(_answer, payload)


def decode_kept(payload: bytes) -> tuple[str, Answer]:
    """One of a session's history, and the request that it answers; raises msgspec.DecodeError for anything else."""
    return _decode(_kept, payload)


def decode_deliveries(payload: bytes) -> list[Delivery]:
    """The deliveries of one publication; raises msgspec.DecodeError for anything else."""
    return _decode(_deliveries, payload)


def decode_asker(payload: bytes) -> Asker:
    """One of a run's askers; raises msgspec.DecodeError for anything else."""
    return _decode(_asker, payload)


def decode_promotion(payload: bytes) -> Promotion:
    """What one publication says of a run; raises msgspec.DecodeError for anything else."""
    return _decode(_promotion, payload)


def _decode(decoder: msgspec.msgpack.Decoder[T], payload: bytes) -> T:
    try:
        return decoder.decode(payload)
    except (UnicodeDecodeError, RecursionError) as error:  # text that is no text, nesting without end
        raise msgspec.DecodeError(str(error)) from error
