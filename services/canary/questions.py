"""What the canary asks, and whether an answer is right. No I/O, and nothing is believed that can be checked."""

import enum
from dataclasses import dataclass
from random import Random

import msgspec

from services.canary import numbers
from services.jobs import evidence
from services.jobs.evidence import Factor, Witness
from services.jobs.names import Lane


class Judgement(enum.StrEnum):
    """What became of a question."""

    RIGHT = "right"
    WRONG = "wrong"  # another verdict, or evidence that does not hold
    WAITS = "waits"  # no answer in time, and the server said what it waits for
    NONE = "none"  # an error, or no answer in time and no word of it


@dataclass(frozen=True, slots=True)
class KnownNumber:
    """A number of which it is known whether it is prime."""

    id: str  # of the request; the metric's label too
    number: int
    prime: bool
    proof: bool = False  # whether a proof is asked for


QUICK = (
    KnownNumber("prime", numbers.PRIME, True),
    KnownNumber("composite", 2**67 - 1, False),  # Mersenne thought it prime; its least factor has nine digits
)


def questions(lane: Lane, draw: Random) -> tuple[KnownNumber, ...]:
    """What goes through this lane; costly numbers are new each time, since answers to costly ones are kept for an hour."""
    match lane:
        case Lane.QUICK:
            return QUICK
        case Lane.HEAVY:
            return (KnownNumber("composite", numbers.fresh_composite(draw), False),)
        case Lane.PROOF:
            return (KnownNumber("prime", numbers.fresh_prime(draw), True, proof=True),)


class ServerVerdict(msgspec.Struct, frozen=True):
    """The part of a result that is judged."""

    verdict: str
    proven: bool
    evidence: dict[str, str] = {}


class Progress(msgspec.Struct, frozen=True):
    """What the server says of a request that takes long."""

    id: str | int
    state: str
    seconds: float | None = None  # of computation so far
    depth: int | None = None  # entries of the lane that no worker has begun

    def __str__(self) -> str:
        """Why there is no answer yet."""
        told = f"{self.id} is {self.state}"
        told += "" if self.seconds is None else f" for {self.seconds:g} s"
        return told + ("" if self.depth is None else f" in a lane with {self.depth} entries that no worker has begun")


class Notice(msgspec.Struct, frozen=True):
    """The params of a notification, as far as they are of interest."""

    jobs: list[Progress] = []


class ErrorData(msgspec.Struct, frozen=True):
    """What an error says to programs."""

    code: str = ""


class ServerError(msgspec.Struct, frozen=True):
    """The part of an error that is read."""

    data: ErrorData = ErrorData()


class Reply(msgspec.Struct, frozen=True):
    """A message of the server: a response if it has an id."""

    id: str | int | None = None
    result: ServerVerdict | None = None
    error: ServerError = ServerError()
    params: Notice = Notice()

    @property
    def late(self) -> bool:
        """Whether the server says that the time is over, which it may do a moment before we see it ourselves."""
        return self.error.data.code == "deadline"


_reply = msgspec.json.Decoder(Reply)


def request(question: KnownNumber, seconds: float) -> bytes:
    """The request of `primes.v1`; nobody wants its answer after so many seconds, so that an outage leaves no jobs behind."""
    params: dict[str, object] = {"number": str(question.number), "deadline": seconds}
    if question.proof:
        params["proof"] = True
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
