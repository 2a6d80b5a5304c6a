"""The forms in which a line may have several numbers, or a number several lines."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import compress
from math import isqrt

from lists import syntax
from lists.item import LONGEST, SHOWN, Item, Unreadable
from lists.template import Template

MOST_VALUES = 1_000_000  # candidates of an ABC2 file, and the largest bound below which it asks for primes

VECTOR = re.compile(r"\s*(?:(?:[A-Za-z_]\w*|%\d*|Out\[\d+\])\s*:?=\s*)?([\[{])")
ABC2 = re.compile(r"ABC2\s+(.*)", re.IGNORECASE)
_PIECE = re.compile(r"[,\[\]{};]|\(+|\)+|[^,()\[\]{};]+")
_CLOSING = {"[": "]", "{": "}"}
_DEFINITION = re.compile(
    r"([a-z])\s*:\s*(?:in\s*\{([^}]*)\}|(primes )?from\s+(-?\d{1,15})\s+(to|downto)\s+(-?\d{1,15})(?:\s+step\s+(-?\d{1,15}))?)\s*"
)


class Separated:
    """Several numbers a line, by commas, semicolons or blanks."""

    name = "list, several numbers a line"
    several = True

    def take(self, number: int, line: str) -> Iterator[Item]:
        """Its numbers."""
        text = syntax.strip(line)
        if syntax.is_empty(line):
            return
        if syntax.is_ambiguous(line) and not syntax.INTEGERS.fullmatch(text):
            words = f"Expected numbers with blanks between them, got {syntax.trim(line)[:SHOWN]!r}, which has two meanings"
            yield Item(number, error=words)
            return
        for part in syntax.separate(text):
            yield (
                Item(number, syntax.trim(part))
                if syntax.trim(part)
                else Item(number, error="Expected a number between two commas, got none")
            )

    def end(self) -> Iterator[Item]:
        """Nothing is left."""
        yield from ()


class Vector:
    """A vector of PARI, or a list of Mathematica, Sage, Python or JSON, over as many lines as it takes."""

    name = "list in brackets"
    several = True

    def __init__(self, line: str) -> None:
        """Raises nothing: what is wrong is seen when its lines are taken."""
        head = VECTOR.match(line)
        assert head is not None
        self._skipped = head.end()  # characters of the first line
        self._closing = _CLOSING[head[1]]
        self._begun = 0  # line where the element at hand began
        self._pieces: list[str] = []  # of it
        self._length = 0  # characters of these
        self._depth = 0
        self._closed = False
        self._last = (0, line)

    def take(self, number: int, line: str) -> Iterator[Item]:
        """The elements that end in it. Raises Unreadable."""
        self._last = number, line
        text, self._skipped = line[self._skipped :].rstrip("\r"), 0
        continued = text.endswith("\\")
        for piece in (found[0] for found in _PIECE.finditer(text.removesuffix("\\"))):
            if self._closed:
                if piece.strip(" \t~;"):
                    raise Unreadable(number, line, f"nothing after {self._closing}")
            elif piece == self._closing or (piece == "," and not self._depth):
                yield from self._cut(number, line, last=piece != ",")
            elif piece in "[]{};":
                raise Unreadable(number, line, "numbers between commas")
            else:
                self._add(number, piece)
        if not continued and self._pieces:
            self._add(number, " ")

    def _add(self, number: int, piece: str) -> None:
        if piece[0] in "()":
            self._depth += len(piece) if piece[0] == "(" else -len(piece)
        if self._pieces or piece.strip():
            self._begun = self._begun or number
            if self._length <= LONGEST:
                self._pieces.append(piece)
                self._length += len(piece)

    def _cut(self, number: int, line: str, *, last: bool) -> Iterator[Item]:
        text = syntax.trim("".join(self._pieces))
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1].strip()
        if self._length > LONGEST:  # what is left of it may look like another number
            yield Item(self._begun, error=f"Expected a number of at most {LONGEST:,} characters, got {text[:SHOWN]!r} and more")
        elif text:
            yield Item(self._begun, text)
        elif not last:
            raise Unreadable(number, line, "a number before each comma")
        self._begun, self._pieces, self._length, self._closed, self._depth = 0, [], 0, last, 0

    def end(self) -> Iterator[Item]:
        """Raises Unreadable where no bracket ended it."""
        if not self._closed:
            raise Unreadable(*self._last, f"{self._closing} at the end of the list")
        yield from ()


class Abc2:
    """PFGW's ABC2: a template and the values of each variable, of which all combinations are meant."""

    name = "ABC2 file"
    several = True

    def __init__(self, number: int, line: str) -> None:
        self._head = number, line
        match = ABC2.fullmatch(syntax.trim(line))
        try:
            self._template = Template(syntax.strip(match[1]) if match else "")
        except ValueError as error:
            raise Unreadable(number, line, f"{error} after ABC2") from None
        self._values: dict[str, Sequence[int]] = {}

    def take(self, number: int, line: str) -> Iterator[Item]:
        """Nothing yet: the numbers come when all variables are known. Raises Unreadable."""
        if number != self._head[0] and not syntax.is_empty(line):
            match = _DEFINITION.fullmatch(syntax.strip(line))
            if match is None or match[1] not in self._template.names or match[1] in self._values:
                raise Unreadable(number, line, "the values of a variable, such as a: from 1 to 9")
            self._values[match[1]] = _read_values(number, line, match)
        yield from ()

    def end(self) -> Iterator[Item]:
        """All combinations; the last variable changes first. Raises Unreadable."""
        names, count = self._template.names, 1
        for name in names:
            count *= len(self._values.get(name, ()))
        if not 0 < count <= MOST_VALUES:
            raise Unreadable(*self._head, f"values for each variable, up to {MOST_VALUES:,} combinations")
        for values in _combine([self._values[name] for name in names], count):
            texts = list(map(str, values))
            try:
                yield Item(self._head[0], self._template.fill(texts), variables=tuple(zip(names, texts, strict=True)))
            except ValueError as error:
                raise Unreadable(*self._head, str(error)) from None


def _read_values(number: int, line: str, match: re.Match[str]) -> Sequence[int]:
    _, listed, primes, first, direction, last, step = match.groups()
    if listed is not None:
        values = re.split(r"[\s,]+", syntax.trim(listed))
        if not all(re.fullmatch(r"-?\d{1,15}", value) for value in values):
            raise Unreadable(number, line, "integers between { and }")
        return [int(value) for value in values]
    stride = abs(int(step)) if step else 1
    if stride == 0 or (primes and (step or direction == "downto" or int(last) > MOST_VALUES)):
        raise Unreadable(number, line, f"a step that is not 0, and primes upwards to {MOST_VALUES:,}")
    if direction == "downto":
        return range(int(first), int(last) - 1, -stride)
    return _primes(int(first), int(last)) if primes else range(int(first), int(last) + 1, stride)


def _combine(values: Sequence[Sequence[int]], count: int) -> Iterator[list[int]]:
    """All `count` combinations, the last of the values changing first. Unlike `product`, which would hold them all as numbers, it
    takes no memory: there may be a million, and many files at once.
    """
    for place in range(count):
        chosen = []
        for each in reversed(values):
            place, at = divmod(place, len(each))  # noqa: PLW2901  # a digit of it after the other
            chosen.append(each[at])
        yield chosen[::-1]


def _primes(first: int, last: int) -> Sequence[int]:
    """Those of an interval, as a view of all."""
    primes = _all_primes()
    return memoryview(primes)[bisect_left(primes, first) : bisect_right(primes, last)]


@lru_cache(maxsize=1)
def _all_primes() -> "array[int]":
    """All below MOST_VALUES: 300 KB, in a few milliseconds, since a line of a few bytes asks for them."""
    sieve = bytearray([1]) * (MOST_VALUES + 1)
    sieve[:2] = b"\0\0"
    for number in range(2, isqrt(MOST_VALUES) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, len(sieve), number)))
    return array("I", compress(range(len(sieve)), sieve))
