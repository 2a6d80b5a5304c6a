"""Reads what a client of `primes.v1` sends: JSON-RPC 2.0 messages to typed calls. No I/O."""

import codecs
import json
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from services.web.ask import number
from services.web.ask.client import TRACEPARENT
from services.web.ask.question import Question
from services.web.v1.calls import Asked, Call, Limits, Message, Rejected, Resuming
from services.web.v1.errors import Code, Refused
from services.web.v1.ids import ID_BYTES, NO_ID, write_id
from services.web.v1.methods import METHODS
from services.web.v1.params import SHOWN

BATCH = 100  # most requests in one batch
# Bytes of a batch's members that are read in one go, or one member: expressions of so many take some four milliseconds.
TURN = 2_048
USUAL_BYTES = 16_384  # longest message that is read twice, as the usual one or for its id: a larger one would take milliseconds


class _Request(msgspec.Struct, gc=False):
    jsonrpc: Literal["2.0"]
    method: str
    id: int | str | UnsetType = UNSET
    params: Raw = Raw(b"")  # where none were given
    traceparent: Raw = Raw(b"")  # whatever it is: W3C Trace Context has a reader pass over one that it cannot read


class _UsualParams(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    number: str


class _Usual(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    jsonrpc: Literal["2.0"]
    id: int
    method: Literal["is_prime"]
    params: _UsualParams


class _Identified(msgspec.Struct, gc=False):
    id: int | str


_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what reading raises

_EXPECTED_BATCH = f"Expected a batch of 1 to {BATCH} requests"

_utf8 = codecs.getincrementaldecoder("utf-8")
_request = msgspec.json.Decoder(_Request)
_usual = msgspec.json.Decoder(_Usual)
_identified = msgspec.json.Decoder(_Identified)
_text = msgspec.json.Decoder(str)
# An array whose members have names, so that reading ends at the first one too many, rather than with a million of them in memory.
_Batch = msgspec.defstruct(
    "_Batch", [(f"_{n}", Raw, Raw(b"")) for n in range(BATCH)], array_like=True, forbid_unknown_fields=True, gc=False
)
_batch = msgspec.json.Decoder(_Batch)


def read_usual(message: str | bytes, limits: Limits) -> "Asked | None":
    """What `read` says of the message that nearly every client sends, read in one go: is_prime of a decimal number and nothing
    else, with an integer as id. None for every other message, good or bad.
    """
    if len(message) > USUAL_BYTES:
        return None
    try:
        usual = _usual.decode(message)
        id = str(usual.id)
        return Asked(id, Question(number.read(usual.params.number, limits.digits))) if len(id) <= ID_BYTES else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def read(message: str | bytes, limits: Limits) -> Message:
    """The calls of one message, each readable or with its error; never raises, nor does what it gives."""
    if message.lstrip()[:1] not in ("[", b"["):
        return Message([_read_member(message, limits)], batch=False)
    try:
        members = _part(message)
    except msgspec.ValidationError:
        return _reject(Code.INVALID_REQUEST, f"{_EXPECTED_BATCH}, got more")
    except _NO_JSON as error:
        return _reject(Code.PARSE_ERROR, f"Expected JSON: {error}")
    if not members:
        return _reject(Code.INVALID_REQUEST, f"{_EXPECTED_BATCH}, got none")
    groups = _group(members)
    return Message((_read_group(group, limits) for group in groups), batch=True, later=len(groups) - 1)


def _reject(code: Code, message: str) -> Message:
    return Message([[Rejected(NO_ID, code, message)]], batch=False)


def _group(members: "Iterable[Raw | str]") -> "list[list[Raw | str]]":
    """The members of a batch as they are read in one go: the next that have TURN bytes together, or one."""
    groups: list[list[Raw | str]] = []
    size = 0
    for member in members:
        length = len(member) if isinstance(member, str) else len(memoryview(member))
        if not groups or size + length > TURN:
            groups.append([])
            size = 0
        groups[-1].append(member)
        size += length
    return groups


def _read_group(members: "Iterable[Raw | str]", limits: Limits) -> list[Call]:
    """The calls of these members of a batch."""
    calls = (call for member in members for call in _read_member(member, limits))
    return [_refuse_in_batch(call) if isinstance(call, Resuming) else call for call in calls]


def _part(batch: str | bytes) -> "list[Raw] | list[str]":
    """The members of a batch, in which one may not be JSON. Raises ValidationError where they are too many, or one of _NO_JSON."""
    try:
        return [member for member in msgspec.structs.astuple(_batch.decode(batch)) if member]
    except msgspec.ValidationError:
        raise
    except _NO_JSON:
        found = _read_leniently(batch)
        if not isinstance(found, list):
            raise
        if len(found) > BATCH:
            raise msgspec.ValidationError(_EXPECTED_BATCH) from None
        return [json.dumps(member) for member in found]


def _read_member(member: "str | bytes | Raw", limits: Limits) -> list[Call]:
    """One request, of a batch or alone; text in it that is no UTF-8 is looked at only now."""
    try:
        return _read_call(member, limits)
    except _NO_JSON as error:
        return [Rejected(_find_id(_read_leniently(member)), Code.PARSE_ERROR, f"Expected JSON: {error}")]


def _refuse_in_batch(call: Resuming) -> Rejected:
    return Rejected(call.id, Code.INVALID_REQUEST, "Expected resume as a message of its own, got it in a batch")


def _read_call(text: "str | bytes | Raw", limits: Limits) -> list[Call]:
    """One request; none for a notification. Raises one of _NO_JSON."""
    if not isinstance(text, str):
        _check_utf8(memoryview(text))  # names that mean nothing here, and what they hold, are not looked at below
    try:
        request = _request.decode(text)
    except msgspec.ValidationError as error:
        return [Rejected(_salvage_id(text), Code.INVALID_REQUEST, f"Expected a JSON-RPC 2.0 request: {error}")]
    if request.id is UNSET:
        return []
    try:
        id = write_id(request.id)
    except ValueError as error:
        return [Rejected(NO_ID, Code.INVALID_REQUEST, str(error))]
    read_params = METHODS.get(request.method)
    if read_params is None:
        methods = " or ".join(METHODS)
        return [Rejected(id, Code.METHOD_NOT_FOUND, f"Expected {methods}, got {request.method[:SHOWN]!r}")]
    try:
        call = read_params(id, request.params, limits)
    except Refused as refused:
        return [Rejected(id, refused.code, str(refused))]
    if request.traceparent and isinstance(call, Asked):
        call = msgspec.structs.replace(call, traceparent=_read_traceparent(request.traceparent))
    return [call]


def _check_utf8(text: memoryview) -> None:
    """Raises DecodeError where it is none; in pieces, since a text in other letters than ours takes twice the bytes."""
    utf8 = _utf8()
    try:
        for at in range(0, len(text), USUAL_BYTES):
            utf8.decode(text[at : at + USUAL_BYTES], at + USUAL_BYTES >= len(text))
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"{error.object[error.start]:#04x} is no UTF-8 ({error.reason})") from None


def _read_traceparent(text: Raw) -> str:
    """As it was sent; empty where it cannot be one."""
    try:
        found = _text.decode(text) if len(memoryview(text)) <= TRACEPARENT else ""
    except _NO_JSON:
        return ""
    return found


def _salvage_id(text: "str | bytes | Raw") -> str:
    """The id of a request that is otherwise wrong, if it can be read."""
    try:
        return write_id(_identified.decode(text).id)
    except _NO_JSON:
        return _find_id(_read_leniently(text))
    except ValueError:
        return NO_ID


def _read_leniently(text: "str | bytes | Raw") -> Any:
    """What a short text would be if half of a surrogate pair, NaN, Infinity and what is no UTF-8 were JSON; None where it is none
    even so.
    """
    try:
        short = text if isinstance(text, str) else bytes(memoryview(text)[: USUAL_BYTES + 1]).decode(errors="replace")
        return json.loads(short) if len(short) <= USUAL_BYTES else None
    except (ValueError, RecursionError):
        return None


def _find_id(request: Any) -> str:
    """The id of a request that was read leniently; NO_ID where it has none."""
    id = request.get("id") if isinstance(request, dict) else None
    try:
        return write_id(id) if isinstance(id, int | str) and not isinstance(id, bool) else NO_ID
    except ValueError:  # too long, or half of a surrogate pair
        return NO_ID
