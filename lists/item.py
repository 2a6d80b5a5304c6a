"""What a line of a file turns out to be."""

from typing import NamedTuple

SHOWN = 40  # characters of a line that an error repeats
LONGEST = 1 << 20  # characters of a number that are kept: more than any that a server takes


class Unreadable(ValueError):
    """The file is in no form that is known, or breaks its form, so that its lines would be taken for what nobody meant."""

    def __init__(self, line: int, text: str, expected: str) -> None:
        super().__init__(f"Expected {expected}, got line {line:,}: {text.strip()[:SHOWN]!r}")


class Item(NamedTuple):
    """A number of the file, a line that should have one, or a line without any (neither text nor error)."""

    line: int  # of the file, from 1
    text: str = ""  # an integer or an expression as it is to be asked; whether it is one is for its reader to say
    error: str = ""  # why there is none, for people
    place: str = ""  # the index that a b-file gives it
    variables: tuple[tuple[str, str], ...] = ()  # of its template: name and value
