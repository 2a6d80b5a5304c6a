"""The protocol `primes.v1`, without I/O: JSON-RPC 2.0 messages to typed calls, answers to JSON-RPC responses."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from services.jobs.evidence import describe
from services.jobs.messages import SENTENCES, Answer, Operation, Wanted, describe_unknown
from services.web.ask import number, question
from services.web.ask.operations import OPERATIONS
from services.web.ask.question import Question

SUBPROTOCOL = "primes.v1"

BATCH = 100  # most requests in one batch
ID_BYTES = 128  # longest id, as JSON text: it is kept for as long as the history keeps its answer
LONGEST = 3_600  # seconds of a request's deadline: above what any job may compute
SHOWN = 40  # characters of what a client sent that an error repeats

_INTEGER = re.compile(rb"-?\d+")
_OFFSET = re.compile(r"0|\d{1,16}-\d{1,16}")


class Code(enum.StrEnum):
    """What went wrong, for programs: `error.data.code`."""

    PARSE_ERROR = "parse_error"
    INVALID_REQUEST = "invalid_request"
    METHOD_NOT_FOUND = "method_not_found"
    INVALID_PARAMS = "invalid_params"
    NOT_AN_INTEGER = "not_an_integer"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    POISON = "poison"
    DEADLINE = "deadline"
    LOST = "lost"
    CANCELLED = "cancelled"
    NO_INTEGER = "no_integer"
    UNPROVEN = "unproven"
    RESUME_LATE = "resume_late"
    UNAVAILABLE = "unavailable"


# JSON-RPC's own numbers, and ours in the range that it leaves to servers.
NUMBERS = {
    Code.PARSE_ERROR: -32700,
    Code.INVALID_REQUEST: -32600,
    Code.METHOD_NOT_FOUND: -32601,
    Code.INVALID_PARAMS: -32602,
    Code.NOT_AN_INTEGER: -32602,
    Code.TOO_LARGE: -32602,
    Code.BUSY: -32000,
    Code.POISON: -32001,
    Code.DEADLINE: -32002,
    Code.RESUME_LATE: -32003,
    Code.UNAVAILABLE: -32004,
    Code.LOST: -32005,
    Code.CANCELLED: -32006,
    Code.NO_INTEGER: -32007,
    Code.UNPROVEN: -32008,
}
RETRY_AFTER = {Code.BUSY: 1, Code.UNAVAILABLE: 1, Code.LOST: 1}  # seconds; the others fail again however long one waits

NO_ID = "null"  # the id of an answer to what has no readable one


class Refused(Exception):
    """A request that gets an error at once."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A question: `id` is canonical JSON text, `seconds` how long the answer is wanted."""

    id: str
    question: Question
    seconds: float | None = None


class Resuming(msgspec.Struct, frozen=True, gc=False):
    """`resume`: continue this session after this offset; `epoch` is empty for the beginning."""

    id: str
    session: str
    epoch: str
    number: int


class Cancelling(msgspec.Struct, frozen=True, gc=False):
    """`cancel`: wait for the answer to `request` (canonical JSON text of its id) no longer."""

    id: str
    request: str


class Failed(msgspec.Struct, frozen=True, gc=False):
    """A request that cannot be done, with its error."""

    id: str
    code: Code
    message: str


Call = Asked | Resuming | Cancelling | Failed


class Message(msgspec.Struct, frozen=True, gc=False):
    """What one WebSocket message holds; notifications are not in it, since nobody waits for them."""

    calls: list[Call]
    batch: bool


_ABSENT = Raw(b"")  # a parameter that was not given


class _Request(msgspec.Struct, gc=False):
    jsonrpc: Literal["2.0"]
    method: str
    id: int | str | UnsetType = UNSET
    params: Raw = _ABSENT


class _UsualParams(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    number: str


class _Usual(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    jsonrpc: Literal["2.0"]
    id: int
    method: Literal["is_prime"]
    params: _UsualParams


class _Identified(msgspec.Struct, gc=False):
    id: int | str


class _NumberParams(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    number: Raw
    deadline: Raw = _ABSENT


class _PrimeParams(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    number: Raw
    deadline: Raw = _ABSENT
    proof: Raw = _ABSENT
    certificate: Raw = _ABSENT


class _CancelParams(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    request: Raw


class _ResumeParams(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    session: str
    offset: str


_request = msgspec.json.Decoder(_Request)
_usual = msgspec.json.Decoder(_Usual)
_identified = msgspec.json.Decoder(_Identified)
_list = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)
_number_params = msgspec.json.Decoder(_NumberParams)
_prime_params = msgspec.json.Decoder(_PrimeParams)
_flag = msgspec.json.Decoder(bool)
_cancel_params = msgspec.json.Decoder(_CancelParams)
_id = msgspec.json.Decoder(int | str)
_seconds = msgspec.json.Decoder(float)
_resume_params = msgspec.json.Decoder(_ResumeParams)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Limits:
    """How large the numbers may be."""

    digits: int
    proof_digits: int  # of one that is to be proven prime


def read_usual(message: str | bytes, limits: Limits) -> "Asked | None":
    """What `read` says of the message that nearly every client sends, read in one go: is_prime of a decimal number and nothing
    else, with an integer as id. None for every other message, good or bad.
    """
    try:
        usual = _usual.decode(message)
        id = str(usual.id)
        return Asked(id, Question(number.read(usual.params.number, limits.digits))) if len(id) <= ID_BYTES else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def read(message: str | bytes, limits: Limits) -> Message:
    """The calls of one message, each readable or with its error; never raises."""
    try:
        if message.lstrip()[:1] not in ("[", b"["):
            return Message(_read_call(message, limits), batch=False)
        members = _list.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Message([Failed(NO_ID, Code.PARSE_ERROR, f"Expected JSON: {error}")], batch=False)
    if not 0 < len(members) <= BATCH:
        sentence = f"Expected a batch of 1 to {BATCH} requests, got {len(members):,}"
        return Message([Failed(NO_ID, Code.INVALID_REQUEST, sentence)], batch=False)
    calls = [call for member in members for call in _read_call(member, limits)]
    if any(isinstance(call, Resuming) for call in calls):
        calls = [_refuse_in_batch(call) if isinstance(call, Resuming) else call for call in calls]
    return Message(calls, batch=True)


def _refuse_in_batch(call: Resuming) -> Failed:
    return Failed(call.id, Code.INVALID_REQUEST, "Expected resume as a message of its own, got it in a batch")


def _read_call(text: "str | bytes | Raw", limits: Limits) -> list[Call]:
    """One request; none for a notification. Raises msgspec.DecodeError for what is not JSON."""
    try:
        request = _request.decode(text)
    except msgspec.ValidationError as error:
        return [Failed(_salvage_id(text), Code.INVALID_REQUEST, f"Expected a JSON-RPC 2.0 request: {error}")]
    if request.id is UNSET:
        return []
    try:
        id = _write_id(request.id)
    except ValueError as error:
        return [Failed(NO_ID, Code.INVALID_REQUEST, str(error))]
    try:
        return [_METHODS[request.method](id, request.params, limits)]
    except KeyError:
        methods = " or ".join(_METHODS)
        return [Failed(id, Code.METHOD_NOT_FOUND, f"Expected {methods}, got {request.method[:SHOWN]!r}")]
    except Refused as refused:
        return [Failed(id, refused.code, str(refused))]


def _write_id(id: "int | str | UnsetType") -> str:
    """The id as canonical JSON text, so that the same id always looks the same. Raises ValueError."""
    text = _encoder.encode(id)
    if len(text) > ID_BYTES:
        raise ValueError(f"Expected an id of at most {ID_BYTES} bytes, got {len(text):,}")
    return text.decode()


def _salvage_id(text: "str | bytes | Raw") -> str:
    """The id of a request that is otherwise wrong, if it can be read."""
    try:
        return _write_id(_identified.decode(text).id)
    except (msgspec.DecodeError, ValueError):
        return NO_ID


def _read_prime(id: str, params: Raw, limits: Limits) -> Asked:
    """As `_read_near` for `is_prime`, which may ask for a proof, too."""
    given, deadline, proof, certificate = _pick(params, _prime_params, "number", optional=("deadline", "proof", "certificate"))
    proven, kept = _read_flag("proof", proof), _read_flag("certificate", certificate)
    wanted = Wanted.CERTIFICATE if kept else Wanted.PROOF if proven else Wanted.VERDICT
    asked = _read_number(given, limits.digits, Operation.IS_PRIME, wanted)
    digits = asked.digits or len(asked.number)
    if wanted is not Wanted.VERDICT and digits > limits.proof_digits:
        sentence = f"Number too large: {digits:,} digits came, at most {limits.proof_digits:,} are proven"
        raise Refused(Code.TOO_LARGE, sentence)
    return Asked(id, asked, _read_deadline(deadline))


def _read_near(operation: Operation, id: str, params: Raw, limits: Limits) -> Asked:
    """`{"number": N, "deadline": S}` or `[N, S]`: N a string that `question` reads or an integer, S seconds, if at all."""
    given, deadline = _pick(params, _number_params, "number", optional=("deadline",))
    return Asked(id, _read_number(given, limits.digits, operation), _read_deadline(deadline))


def _read_flag(name: str, text: Raw) -> bool:
    """A boolean, false if it was not given. Raises Refused."""
    try:
        return bool(text) and _flag.decode(text)
    except msgspec.DecodeError:
        shown = bytes(text)[:SHOWN].decode(errors="replace")
        raise Refused(Code.INVALID_PARAMS, f"Expected {name} as true or false, got {shown}") from None


def _read_number(given: Raw, most_digits: int, operation: Operation, wanted: Wanted = Wanted.VERDICT) -> Question:
    """A string that `question` reads, or an integer. Raises Refused."""
    raw = bytes(given)
    try:
        text = _text.decode(raw) if raw.startswith(b'"') else raw.decode() if _INTEGER.fullmatch(raw) else None
        if text is not None:
            return question.read(text, most_digits, operation, wanted)
        where = ""
    except question.TOO_LARGE as error:
        raise Refused(Code.TOO_LARGE, f"Number too large: {error}") from None
    except ValueError as error:
        where = f": {error}"
    shown = raw[:SHOWN].decode(errors="replace")
    expected = "Expected an integer or an expression, as a string, or a JSON integer"
    raise Refused(Code.NOT_AN_INTEGER, f"{expected}, got {shown}{where}")


def _read_deadline(text: Raw) -> float | None:
    """Seconds until an answer is not wanted any more; None if nothing was given. Raises Refused."""
    if not text:
        return None
    try:
        seconds = _seconds.decode(text)
    except msgspec.DecodeError:
        seconds = -1.0
    if not 0 < seconds <= LONGEST:
        shown = bytes(text)[:SHOWN].decode(errors="replace")
        raise Refused(Code.INVALID_PARAMS, f"Expected a deadline in seconds, above 0 and up to {LONGEST:,}, got {shown}")
    return seconds


def _read_cancel(id: str, params: Raw, limits: Limits) -> Cancelling:
    """`{"request": ID}` or `[ID]`."""
    raw = bytes(_pick(params, _cancel_params, "request")[0])
    try:
        return Cancelling(id, _write_id(_id.decode(raw)))
    except (msgspec.DecodeError, ValueError):
        shown = raw[:SHOWN].decode(errors="replace")
        raise Refused(Code.INVALID_PARAMS, f"Expected the id of a request, a string or an integer, got {shown}") from None


def _read_resume(id: str, params: Raw, limits: Limits) -> Resuming:
    """`{"session": token, "offset": offset}` or `[token, offset]`."""
    raw = _pick(params, _resume_params, "session", "offset")
    try:
        session, offset = (part if isinstance(part, str) else _text.decode(part) for part in raw)
    except msgspec.DecodeError as error:
        raise Refused(Code.INVALID_PARAMS, f"Expected session and offset as strings: {error}") from None
    if not _OFFSET.fullmatch(offset):
        raise Refused(Code.INVALID_PARAMS, f'Expected an offset as it was given, or "0", got {offset[:SHOWN]!r}')
    epoch, _, number_ = offset.rpartition("-")
    return Resuming(id, session, epoch, int(number_))


def _pick(params: Raw, by_name: "msgspec.json.Decoder[Any]", *names: str, optional: tuple[str, ...] = ()) -> list[Any]:
    """The parameters, in this order, whether they were given by name or by position; last the optional ones, empty
    where they were not given. Raises Refused.
    """
    expected = f"Expected params {', '.join(names)}" + (f" and perhaps {', '.join(optional)}" if optional else "")
    text = bytes(params)
    if not text:
        raise Refused(Code.INVALID_PARAMS, f"{expected}, got none")
    try:
        if text.startswith(b"["):
            positional = _list.decode(text)
            absent = len(names) + len(optional) - len(positional)
            if not 0 <= absent <= len(optional):
                raise Refused(Code.INVALID_PARAMS, f"{expected}, got {len(positional)}")
            return positional + [_ABSENT] * absent
        named = by_name.decode(text)
    except msgspec.DecodeError as error:
        raise Refused(Code.INVALID_PARAMS, f"{expected}: {error}") from None
    return [getattr(named, name) for name in (*names, *optional)]


_METHODS: dict[str, Any] = {
    Operation.IS_PRIME.value: _read_prime,
    **{operation.value: partial(_read_near, operation) for operation, traits in OPERATIONS.items() if not traits.provable},
    "cancel": _read_cancel,
    "resume": _read_resume,
}


class Finding(msgspec.Struct, frozen=True, gc=False):
    """The result of an operation."""

    verdict: str
    proven: bool
    method: str
    queue_ms: int
    compute_ms: float
    offset: str
    evidence: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    number: str | msgspec.UnsetType = msgspec.UNSET  # the prime that was found


class Standing(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The notification `session`, and the result of `resume`."""

    session: str
    offset: str
    expires_in: int  # seconds
    instance: str
    recovered: bool | None = None
    pending: list[Raw] | None = None


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The result of `cancel`."""

    cancelled: bool


class Progress(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What becomes of one request, in the notification `progress`."""

    id: Raw
    state: str  # "queued" or "running"
    depth: int | None = None  # queued: entries that wait in its lane
    seconds: float | None = None  # running: for how long
    verdict: str | None = None  # what is known already, while a proof is made


class Known(msgspec.Struct, frozen=True, gc=False):
    """What is known of a number whose proof is under way, in the notification `verdict`."""

    id: Raw
    verdict: str
    proven: bool
    method: str
    queue_ms: int
    compute_ms: float


class _Response(msgspec.Struct, gc=False):
    jsonrpc: str
    id: Raw
    result: Finding | Standing | Ended


def result(id: str, value: Finding | Standing | Ended) -> bytes:
    """A response with a result."""
    return _encoder.encode(_Response("2.0", Raw(id.encode()), value))


def error(id: str, code: Code, message: str, offset: str = "", known: dict[str, str] | None = None) -> bytes:
    """A response with an error: what went wrong, whether and when (s) to try again, and what is known all the same."""
    about: dict[str, Any] = {"code": code, "retryable": code in RETRY_AFTER, **(known or {})}
    if code in RETRY_AFTER:
        about["retry_after"] = RETRY_AFTER[code]
    if offset:
        about["offset"] = offset
    body = {"code": NUMBERS[code], "message": message, "data": about}
    return _encoder.encode({"jsonrpc": "2.0", "id": Raw(id.encode()), "error": body})


def response(id: str, answer: Answer, offset: str) -> bytes:
    """What an answer tells its client."""
    if answer.fault is not None:
        return error(id, Code(answer.fault), SENTENCES[answer.fault], offset, describe_unknown(answer))
    shown = describe(answer.evidence) if answer.evidence else msgspec.UNSET
    found = Finding(
        answer.verdict, answer.proven, answer.method, answer.queue_ms, answer.compute_us / 1000, offset, shown,
        answer.number or msgspec.UNSET,
    )  # fmt: skip
    return result(id, found)


def notification(standing: Standing) -> bytes:
    """The notification `session`."""
    return _encoder.encode({"jsonrpc": "2.0", "method": "session", "params": standing})


def progress(jobs: list[Progress]) -> bytes:
    """The notification `progress`."""
    return _encoder.encode({"jsonrpc": "2.0", "method": "progress", "params": {"jobs": jobs}})


def verdict(id: str, answer: Answer) -> bytes:
    """The notification `verdict`: a first answer, before the one that the request waits for."""
    params = Known(Raw(id.encode()), answer.verdict, answer.proven, answer.method, answer.queue_ms, answer.compute_us / 1000)
    return _encoder.encode({"jsonrpc": "2.0", "method": "verdict", "params": params})


def going_away(seconds: float) -> bytes:
    """The notification `going_away`: connect elsewhere in so many seconds."""
    params = {"reconnect_after": round(seconds, 3)}
    return _encoder.encode({"jsonrpc": "2.0", "method": "going_away", "params": params})


def array(responses: list[bytes]) -> bytes:
    """The one message that answers a batch."""
    return b"[" + b",".join(responses) + b"]"
