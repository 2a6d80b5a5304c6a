"""What a client of `primes.v1` can ask, read and typed."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from services.web.ask.question import Question
from services.web.v1.errors import Code


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A question: `id` is canonical JSON text, `seconds` how long the answer is wanted."""

    id: str
    question: Question
    seconds: float | None = None
    traceparent: str = ""  # as the client sent it beside the request


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


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A request that cannot be done, with its error."""

    id: str
    code: Code
    message: str


Call = Asked | Resuming | Cancelling | Rejected


class Message(msgspec.Struct, frozen=True, gc=False):
    """What one WebSocket message holds; notifications are not in it, since nobody waits for them.

    A large batch is read as `turns` is iterated; between two of them others should have their turn of the event loop.
    `later`: how many turns follow the first, known without reading them.
    """

    turns: Iterable[list[Call]]
    batch: bool
    later: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How large the numbers may be."""

    digits: int
    proof_digits: int  # of one that is to be proven prime
