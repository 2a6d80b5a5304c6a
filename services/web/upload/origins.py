"""Where the numbers of a chunk come from, for files that are no plain lists, or where it was asked for: kept beside its outcome."""

import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from lists.item import Item

MOST_TEXT = 65_536  # characters of a number that are told again: what is longer has an error


class Origin(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Of one number. New fields go last and have a default, as in messages."""

    line: int  # of the file
    text: str = ""
    index: str = ""  # in a b-file
    variables: tuple[tuple[str, str], ...] = ()


class Origins(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Of a chunk's numbers, in order; None where a line has none."""

    counted: bool  # whether the numbers are counted, since a line may have several; else each line is one
    each: list[Origin | None]
    plain: bool = False  # whether they are lines of a plain list, whose texts were asked for


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Origins)


def of(item: Item) -> Origin:
    """That of an item with a number or an error."""
    return Origin(item.line, item.text if len(item.text) <= MOST_TEXT else "", item.place, item.variables)


def of_lines(first: int, texts: Iterable[str]) -> Origins:
    """Those of lines of a plain list, from this one on; the text of a line without a number is empty."""
    return Origins(False, [Origin(line, text) if text else None for line, text in enumerate(texts, first)], plain=True)


def pack(origins: Origins) -> bytes:
    """As they are kept in Redis."""
    return zlib.compress(_encoder.encode(origins), 1)


def unpack(payload: bytes) -> Origins | None:
    """What was packed; None where nothing was, as for plain lists. Raises ValueError for anything else."""
    if not payload:
        return None
    try:
        return _decoder.decode(zlib.decompress(payload))
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"expected the origins of a chunk: {error}") from error


def describe(origin: Origin) -> dict[str, Any]:
    """JSON fields of an answer."""
    told: dict[str, Any] = {"text": origin.text} if origin.text else {}
    told |= {"index": origin.index} if origin.index else {}
    return told | ({"variables": dict(origin.variables)} if origin.variables else {})
