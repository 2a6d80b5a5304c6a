"""What goes wrong in `primes.v1`, for programs and by JSON-RPC's numbers."""

import enum


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
    ID_REUSED = "id_reused"
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
    Code.ID_REUSED: -32009,
}
RETRY_AFTER = {Code.BUSY: 1, Code.UNAVAILABLE: 1, Code.LOST: 1}  # seconds; the others fail again however long one waits


class Refused(Exception):
    """A request that gets an error at once."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
