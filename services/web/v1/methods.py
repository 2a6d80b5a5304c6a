"""The methods of `primes.v1`: what each takes, and how that is read."""

import re
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from services.jobs.expression import Indivisible
from services.jobs.messages import Operation, Wanted, want
from services.web.ask import number, question
from services.web.ask.operations import OPERATIONS
from services.web.ask.question import Question
from services.web.v1.calls import Asked, Call, Cancelling, Limits, Resuming
from services.web.v1.errors import Code, Refused
from services.web.v1.ids import write_id
from services.web.v1.params import ABSENT, SHOWN, Params, read_flag, read_text, show

LONGEST = 3_600  # seconds of a request's deadline: above what any job may compute

CHARACTER_BYTES = 6  # of one character in JSON at most, as it is escaped

_INTEGER = re.compile(rb"-?\d+")
_OFFSET = re.compile("0|[0-9]{1,16}-[0-9]{1,16}")

_text = msgspec.json.Decoder(str)
_id = msgspec.json.Decoder(int | str)
_seconds = msgspec.json.Decoder(float)


class _Number(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    number: Raw
    deadline: Raw = ABSENT
    proof: Raw = ABSENT
    certificate: Raw = ABSENT


class _Unprovable(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    number: Raw
    deadline: Raw = ABSENT


class _Cancel(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    request: Raw


class _Resume(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    session: Raw
    offset: Raw


_number = Params(_Number)
_unprovable = Params(_Unprovable)
_cancel = Params(_Cancel)
_resume = Params(_Resume)


def _read_question(operation: Operation, id: str, params: Raw, limits: Limits) -> Asked:
    """A number, perhaps a deadline in seconds, and what may be wanted of it besides. Raises Refused."""
    given = _number.read(params)
    wanted = _read_wanted(operation, given)
    asked = _read_number(given.number, limits.digits, operation, wanted)
    digits = asked.digits or len(asked.number)
    if wanted is not Wanted.VERDICT and digits > limits.proof_digits:
        sentence = f"Number too large: {digits:,} digits came, at most {limits.proof_digits:,} are proven"
        raise Refused(Code.TOO_LARGE, sentence)
    return Asked(id, asked, _read_deadline(given.deadline))


def _read_unprovable(operation: Operation, id: str, params: Raw, limits: Limits) -> Asked:
    """A number and perhaps a deadline, of which nothing else can be wanted. Raises Refused."""
    given = _unprovable.read(params)
    asked = _read_number(given.number, limits.digits, operation, Wanted.VERDICT)
    return Asked(id, asked, _read_deadline(given.deadline))


def _read_wanted(operation: Operation, given: _Number) -> Wanted:
    return want(operation, proof=read_flag("proof", given.proof), certificate=read_flag("certificate", given.certificate))


def _read_number(given: Raw, most_digits: int, operation: Operation, wanted: Wanted) -> Question:
    """A string that `question` reads, or an integer. Raises Refused."""
    raw = bytes(given)
    if len(raw) > (longest := CHARACTER_BYTES * number.longest(most_digits)):
        raise Refused(Code.TOO_LARGE, f"Number too large: {len(raw):,} bytes came, at most {longest:,} are taken")
    try:
        text = _text.decode(raw) if raw.startswith(b'"') else raw.decode() if _INTEGER.fullmatch(raw) else None
        if text is not None:
            return question.read(text, most_digits, operation, wanted)
        expected, where = 'Expected an integer in digits, or a text in quotes such as "97" or "2^127-1"', ""
    except question.TOO_LARGE as error:
        raise Refused(Code.TOO_LARGE, f"Number too large: {error}") from None
    except Indivisible as error:
        raise Refused(Code.NO_INTEGER, f"Expected an expression whose value is an integer, got {show(given)}: {error}") from None
    except ValueError as error:
        expected, where = question.EXPECTED, f": {error}"
    raise Refused(Code.NOT_AN_INTEGER, f"{expected}, got {show(given)}{where}")


def _read_deadline(text: Raw) -> float | None:
    """Seconds until an answer is not wanted any more; None if nothing was given. Raises Refused."""
    if not text:
        return None
    try:
        seconds = _seconds.decode(text)
    except msgspec.DecodeError:
        seconds = -1.0
    if not 0 < seconds <= LONGEST:
        expected = f"Expected a deadline in seconds, above 0 and up to {LONGEST:,}"
        raise Refused(Code.INVALID_PARAMS, f"{expected}, got {show(text)}")
    return seconds


def _read_cancel(id: str, params: Raw, limits: Limits) -> Cancelling:
    """The id of a request. Raises Refused."""
    request = _cancel.read(params).request
    try:
        return Cancelling(id, write_id(_id.decode(request)))
    except (msgspec.DecodeError, ValueError):
        sentence = f"Expected the id of a request, a string or an integer, got {show(request)}"
        raise Refused(Code.INVALID_PARAMS, sentence) from None


def _read_resume(id: str, params: Raw, limits: Limits) -> Resuming:
    """A session's token, and the offset after which it goes on. Raises Refused."""
    given = _resume.read(params)
    session, offset = read_text("session", given.session), read_text("offset", given.offset)
    if not _OFFSET.fullmatch(offset):
        raise Refused(Code.INVALID_PARAMS, f'Expected an offset as it was given, or "0", got {offset[:SHOWN]!r}')
    epoch, _, number = offset.rpartition("-")
    return Resuming(id, session, epoch, int(number))


METHODS: dict[str, Callable[[str, Raw, Limits], Call]] = {
    **{
        operation.value: partial(_read_question if traits.proves else _read_unprovable, operation)
        for operation, traits in OPERATIONS.items()
    },
    "cancel": _read_cancel,
    "resume": _read_resume,
}
