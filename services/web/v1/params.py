"""Reads the parameters of a request, by name or by position."""

from typing import Generic, TypeVar

import msgspec
from msgspec import Raw

from services.web.v1.errors import Code, Refused

SHOWN = 40  # characters of what a client sent that an error repeats
ABSENT = Raw(b"")  # a parameter that was not given

P = TypeVar("P", bound=msgspec.Struct)

_text = msgspec.json.Decoder(str)
_flag = msgspec.json.Decoder(bool)


class Params(Generic[P]):
    """The fields of a struct, each raw JSON, in its order; those with a default need not be given."""

    def __init__(self, struct: type[P]) -> None:
        self._struct = struct
        self._by_name = msgspec.json.Decoder(struct)
        fields = msgspec.structs.fields(struct)
        # By position, too, so that reading ends at the first one too many, rather than with a million of them in memory.
        given = [(field.name, Raw, ABSENT) for field in fields]
        self._by_position = msgspec.json.Decoder(
            msgspec.defstruct(f"{struct.__name__}List", given, array_like=True, forbid_unknown_fields=True, gc=False)
        )
        required = [field.name for field in fields if field.required]
        optional = [field.name for field in fields if not field.required]
        self._least = len(required)
        self._expected = f"Expected params {', '.join(required)}" + (f" and perhaps {', '.join(optional)}" if optional else "")

    def read(self, given: Raw) -> P:
        """The struct, whether its fields were given by name or by position. Raises Refused."""
        text = bytes(given)
        if not text:
            raise Refused(Code.INVALID_PARAMS, f"{self._expected}, got none")
        try:
            if not text.startswith(b"["):
                return self._by_name.decode(text)
            values = [value for value in msgspec.structs.astuple(self._by_position.decode(text)) if value]
        except msgspec.DecodeError as error:
            raise Refused(Code.INVALID_PARAMS, f"{self._expected}: {error}") from None
        if len(values) < self._least:
            raise Refused(Code.INVALID_PARAMS, f"{self._expected}, got {len(values)}")
        return self._struct(*values)


def show(text: Raw) -> str:
    """The beginning of what a client sent, for an error."""
    return bytes(text)[:SHOWN].decode(errors="replace")


def read_flag(name: str, text: Raw) -> bool:
    """A boolean, false if it was not given. Raises Refused."""
    try:
        return bool(text) and _flag.decode(text)
    except msgspec.DecodeError:
        raise Refused(Code.INVALID_PARAMS, f"Expected {name} as true or false, got {show(text)}") from None


def read_text(name: str, text: Raw) -> str:
    """A string. Raises Refused."""
    try:
        return _text.decode(text)
    except msgspec.DecodeError:
        raise Refused(Code.INVALID_PARAMS, f"Expected {name} as a string, got {show(text)}") from None
