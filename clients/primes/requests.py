"""What a client of primes.v1 asks, as text; what no server could read is refused here, before it costs a connection."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

LARGEST = 2 << 20  # bytes of a message: over a larger one the server closes the socket
LONGEST_DEADLINE = 3_600  # s, as in the protocol
LONGEST_ID = 128  # bytes of an id as JSON, as in the protocol

RESUME = "resume"  # id of that request
CANCEL = "/cancel"  # what the id of a cancellation has more than that of its request
CHECK = "/check"  # the end of the ids of requests that only find out whether those before them were read
_OURS = (RESUME, "probe")  # ids; the second is the JavaScript client's sign of life


class PrimesError(Exception):
    """A request that failed for good, or was cancelled; `code` is for programs, as in the protocol."""

    def __init__(self, code: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data or {}  # with `best` and `method`, and factors, if something is known all the same


class Operation(StrEnum):
    """What is asked about a number; the values are the protocol's methods."""

    IS_PRIME = "is_prime"
    NEXT = "next_prime"
    PREVIOUS = "previous_prime"
    FACTOR = "factor"


def write(id: str, method: str, params: Mapping[str, Any]) -> str:
    """The message of a question. Raises PrimesError where its params are what no server takes or no JSON can say.

    Nothing but that: whether the number is one is the server's to say.
    """
    if "deadline" in params:
        _check_deadline(params["deadline"])
    try:
        # As JavaScript writes it, so that the bound is the same in both clients.
        text = json.dumps(
            {"jsonrpc": "2.0", "id": id, "method": method, "params": params},
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
        size = len(text.encode())
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise PrimesError(
            "not_an_integer", f"Expected an integer or an expression, got text with half a character, {half}"
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise PrimesError("invalid_params", f"Expected params that JSON can say: {error}") from None
    if size > LARGEST:
        raise PrimesError("too_large", f"Expected a question of at most {LARGEST:,} bytes, got {size:,}")
    return text


def _check_deadline(deadline: object) -> None:
    number = isinstance(deadline, int | float) and not isinstance(deadline, bool)
    if not number or not 0 < deadline <= LONGEST_DEADLINE:  # type: ignore[operator]  # a number
        expected = f"Expected a deadline in seconds, above 0 and up to {LONGEST_DEADLINE:,}"
        raise PrimesError("invalid_params", f"{expected}, got {deadline!r}")


def check_id(id: str) -> None:
    """Raises ValueError for an id that the server would not read, or that this client says other things with."""
    try:
        size = len(json.dumps(id, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise ValueError(f"Expected an id of whole characters, got {id!a}") from None
    if size > (most := LONGEST_ID - len(CANCEL)):
        raise ValueError(f"Expected an id of at most {most} bytes as JSON, got {size}")
    if id in _OURS or id.endswith((CANCEL, CHECK)):
        raise ValueError(f"Expected an id that is none of the client's own, got {id!r}")
