"""What the canary asks, and whether an answer is right. No I/O, and nothing is believed that can be checked."""

import enum
from dataclasses import dataclass

import msgspec

from services.jobs import evidence
from services.jobs.evidence import Factor, Witness


class Judgement(enum.StrEnum):
    """What became of a question."""

    RIGHT = "right"
    WRONG = "wrong"  # another verdict, or evidence that does not hold
    NONE = "none"  # an error, or no answer in time


@dataclass(frozen=True, slots=True)
class KnownNumber:
    """A number of which it is known whether it is prime."""

    id: str  # of the request; the metric's label too
    number: int
    prime: bool


# Both are cheap, hence of the quick lane: a heavy number may rightly wait for minutes behind others.
QUESTIONS = (
    KnownNumber("prime", 2**61 - 1, True),
    KnownNumber("composite", 2**67 - 1, False),  # Mersenne thought it prime; its least factor has nine digits
)


class ServerVerdict(msgspec.Struct, frozen=True):
    """The part of a result that is judged."""

    verdict: str
    proven: bool
    evidence: dict[str, str] = {}


class Reply(msgspec.Struct, frozen=True):
    """A message of the server: a response if it has an id."""

    id: str | int | None = None
    result: ServerVerdict | None = None


_reply = msgspec.json.Decoder(Reply)


def request(question: KnownNumber, seconds: float) -> bytes:
    """The request of `primes.v1`; nobody wants its answer after so many seconds, so that an outage leaves no jobs behind."""
    params = {"number": str(question.number), "deadline": seconds}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": question.id, "method": "is_prime", "params": params})


def read(message: str | bytes) -> Reply:
    """What the server said; raises msgspec.DecodeError."""
    return _reply.decode(message)


def judge(question: KnownNumber, reply: Reply) -> Judgement:
    """Whether this answers the question, and rightly."""
    if reply.result is None:
        return Judgement.NONE
    found = reply.result
    expected = "prime" if question.prime else "composite"
    right = found.verdict == expected and found.proven and (question.prime or shows(question.number, found.evidence))
    return Judgement.RIGHT if right else Judgement.WRONG


def shows(number: int, described: dict[str, str]) -> bool:
    """Whether evidence in its JSON form holds: a factor, or a witness."""
    made: Factor | Witness | None = None
    match described:
        case {"factor": text} if text.isdecimal():
            made = Factor(int(text))
        case {"witness": text} if text.isdecimal():
            made = Witness(int(text))
    return made is not None and evidence.holds(number, made)
