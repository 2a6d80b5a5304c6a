"""The forms that have one number a line."""

import re
from collections.abc import Iterator
from itertools import islice

from lists import syntax
from lists.item import SHOWN, Item, Unreadable
from lists.template import Template

# What stands before blanks is sought once for each run of them, not for each of its blanks.
LOG = re.compile(
    r"(?:UID: [^,]*, )?(\S.*?)(?<=\S)\s++(?:is (?:not |\S+-|trivially |Fermat )?(?:PRP|prime|composite)|has factors)\b"
)
_LOG_NOTE = re.compile(
    r"PFGW Version|Primality testing|Running |Calling |Resuming |Output |No factoring|Recognized |Switching |Using |\*\*\*|Done"
)
ABC = re.compile(r"ABC(D?)\s+(.*)", re.IGNORECASE)
NEWPGEN = re.compile(r"\d+:([A-Z]):\d+:(\d+)(?::(\d+))?")
WORK = re.compile(r"(Test|DoubleCheck|PRP|PRPDC|Pfactor|Pminus1)=(?:(?:[0-9A-Fa-f]{32}|N/A),)?([-+0-9,.\"]+)")
PIECE = re.compile(r"(?:P|PRP|C|prp|p|c)(\d+)\s*[:=]\s*(\d+)")
_STARTS = re.compile(r"\[([-+0-9,\s]+)\]\s*$")
_FIELDS = re.compile(r"\s*,\s*|\s+")
_START = re.compile(r"[+-]?[0-9]{1,4000}")  # Python's int() and str() stop at 4,300 digits, and a million rows add seven
MOST_STARTING = 4_000  # characters of all of them: each row of a few bytes writes them anew
_DIFFERENCE = re.compile(r"[+-]?[0-9]{1,18}")

COLUMNS = 10_000  # of which one may be chosen
TITLES = 4  # of columns that an error names

MOST_PARTS = 10_000  # lines of one number: more than bc needs for any that is taken

_FLAGS = 0x500  # bits of a NewPGen header that say nothing of the form
_FORMS = {1: "+1", 2: "-1"}


class Lines:
    """One number a line, perhaps with a comment; bc's lines that end in a backslash go on in the next."""

    name = "list, one number a line"
    several = False

    def __init__(self) -> None:
        self._first = self._last = 0  # lines of a number that goes on
        self._whole = ""

    def take(self, number: int, line: str) -> Iterator[Item]:
        """What is in this line; of a number over several lines, after the last of them. Raises Unreadable."""
        text = syntax.trim(line)
        if not self._first and not is_continued(text):
            yield read_line(number, line)
            return
        self._first, self._last = self._first or number, number
        self._whole += text.removesuffix("\\")
        if self._last - self._first >= MOST_PARTS:
            raise Unreadable(number, line, f"a number in at most {MOST_PARTS:,} lines")
        if not is_continued(text):
            yield from self._finish(self._whole)

    def end(self) -> Iterator[Item]:
        """A number whose rest is missing is none."""
        if self._first:
            yield from self._finish(f"{self._whole}\\")

    def _finish(self, text: str) -> Iterator[Item]:
        yield read_line(self._first, text)
        yield from (Item(blank) for blank in range(self._first + 1, self._last + 1))
        self._first, self._whole = 0, ""


def is_continued(line: str) -> bool:
    """Whether its number goes on in the next line; two backslashes begin a comment of PARI."""
    return line.endswith("\\") and not line.endswith("\\\\")


def read_line(number: int, line: str) -> Item:
    """The number of a line that should have one alone."""
    if syntax.is_empty(line):
        return Item(number)
    if syntax.is_ambiguous(line):
        words = "write a sum without blanks, and numbers on lines of their own"
        return Item(
            number, error=f"Expected one integer or expression, got {syntax.trim(line)[:SHOWN]!r}, which has two meanings: {words}"
        )
    return Item(number, syntax.strip(line))


class BFile:
    """A b-file of the OEIS: `n a(n)`."""

    name = "OEIS b-file"
    several = False

    def take(self, number: int, line: str) -> Iterator[Item]:
        """The term."""
        fields = syntax.words(syntax.strip(line))
        if syntax.is_empty(line):
            yield Item(number)
        elif len(fields) == 2 and all(map(syntax.INTEGER.fullmatch, fields)):
            yield Item(number, fields[1], place=fields[0])
        else:
            yield Item(number, error=f"Expected an index and a term, got {syntax.trim(line)[:SHOWN]!r}")

    def end(self) -> Iterator[Item]:
        """Nothing is left."""
        yield from ()


class Abc:
    """PFGW's ABC, a template and rows of values; and ABCD, the first row in brackets and then differences."""

    several = False

    def __init__(self, number: int, line: str) -> None:
        self.name = "ABC file"
        self._head = number
        self._template, self._values = self._read_head(number, line)

    def _read_head(self, number: int, line: str) -> tuple[Template, list[int] | None]:
        """The template; of ABCD the values of the first row. Raises Unreadable."""
        match = ABC.fullmatch(syntax.trim(line))
        text = syntax.strip(match[2]) if match else ""
        starts = _STARTS.search(text) if match and match[1] else None
        try:
            template = Template(text[: starts.start()] if starts else text)
            if match is None or not match[1]:
                return template, None
            self.name = "ABCD file"
            fields = _FIELDS.split(syntax.trim(starts[1])) if starts else []
            if not all(map(_START.fullmatch, fields)) or sum(map(len, fields)) > MOST_STARTING:
                raise ValueError(f"integers of at most {MOST_STARTING:,} digits together between [ and ]")
            values = list(map(int, fields))
            template.fill(list(map(str, values)))
        except ValueError as error:
            raise Unreadable(number, line, f"{error} after ABC") from None
        return template, values

    def take(self, number: int, line: str) -> Iterator[Item]:
        """The row, filled in."""
        if ABC.match(line):  # another block
            self._template, self._values = self._read_head(number, line)
            self._head = number
        if number == self._head:
            yield Item(number) if self._values is None else self._fill(number, list(map(str, self._values)))
        elif syntax.is_empty(line):
            yield Item(number)
        else:
            yield self._read_row(number, line)

    def _read_row(self, number: int, line: str) -> Item:
        fields = syntax.words(syntax.strip(line))
        if self._values is None:
            return self._fill(number, fields)
        names = self._template.names
        if not fields or len(fields) > len(names) or not all(map(_DIFFERENCE.fullmatch, fields)):
            raise Unreadable(number, line, "differences")  # what comes after counts from it
        self._values = [value + int(field) for value, field in zip(self._values, [*fields, *["0"] * len(names)], strict=False)]
        return self._fill(number, list(map(str, self._values)))

    def _fill(self, number: int, values: list[str]) -> Item:
        try:
            text = self._template.fill(values)
        except ValueError as error:
            return Item(number, error=f"Expected {error}, got {' '.join(values)[:SHOWN]!r}")
        return Item(number, text, variables=tuple(zip(self._template.names, values, strict=True)))

    def end(self) -> Iterator[Item]:
        """Nothing is left."""
        yield from ()


class NewPGen:
    """A head and rows of k and n, as NewPGen and LLR have them, of k*b^n+1 or k*b^n-1."""

    name = "NewPGen file"
    several = False

    def __init__(self) -> None:
        self._base = self._end = ""

    def take(self, number: int, line: str) -> Iterator[Item]:
        """The row, filled in."""
        if head := NEWPGEN.fullmatch(syntax.trim(line)):
            mask = {"P": 1, "M": 2}.get(head[1], 0) if head[3] is None else int(head[3][:9]) & ~_FLAGS
            if mask not in _FORMS:
                raise Unreadable(number, line, "k*b^n+1 or k*b^n-1 of NewPGen")
            self._base, self._end = head[2], _FORMS[mask]
            yield Item(number)
        elif syntax.is_empty(line):
            yield Item(number)
        elif row := re.fullmatch(r"\s*([0-9]+)\s+([0-9]+)\s*", line):
            yield Item(number, f"{row[1]}*{self._base}^{row[2]}{self._end}", variables=(("k", row[1]), ("n", row[2])))
        else:
            yield Item(number, error=f"Expected k and n, got {syntax.trim(line)[:SHOWN]!r}")

    def end(self) -> Iterator[Item]:
        """Nothing is left."""
        yield from ()


class Records:
    """Lines of a program, of which a pattern tells the number; those that match `skipped` have none."""

    several = False

    def __init__(self, name: str) -> None:
        self.name = name

    def take(self, number: int, line: str) -> Iterator[Item]:
        """What the line is about."""
        text = syntax.trim(line)
        if syntax.is_empty(line) or _LOG_NOTE.match(text):
            yield Item(number)
        elif found := LOG.match(text):
            yield Item(number, found[1])
        elif (found := PIECE.fullmatch(text)) and len(found[2]) == int(found[1][:9]):
            yield Item(number, found[2])
        elif (found := WORK.fullmatch(text)) and (expression := _read_work(found[1], found[2])):
            yield Item(number, expression)
        else:
            yield Item(number, error=f"Expected a line of a {self.name}, got {text[:SHOWN]!r}")

    def end(self) -> Iterator[Item]:
        """Nothing is left."""
        yield from ()


def _read_work(kind: str, text: str) -> str:
    """A Mersenne number by its exponent, or k, b, n and c, without the factors that are known; empty where they are not there."""
    rest, quoted, factors = text.partition('"')
    fields = rest.split(",")
    if kind in ("Test", "DoubleCheck"):
        return f"2^{fields[0]}-1" if re.fullmatch("[0-9]+", fields[0]) and not quoted else ""
    if len(fields) < 4 or not all(map(re.fullmatch, ("-?[0-9]+", "[0-9]+", "[0-9]+", "-?[0-9]+"), fields[:4])):
        return ""
    k, b, n, c = fields[:4]
    whole = f"{k}*{b}^{n}{'' if c.startswith('-') else '+'}{c}"
    if not quoted:
        return whole
    known = re.fullmatch(r"([0-9]+(?:,[0-9]+)*)\"", factors)
    return f"({whole})/{known[1].replace(',', '/')}" if known else ""


class Csv:
    """Fields with delimiters, of which one column is asked about, by its title or its number from 1 on."""

    several = False

    def __init__(self, line: int, text: str, column: str) -> None:
        """`text`: the first line, which may be titles. Raises Unreadable."""
        self._delimiter = next((mark for mark in "\t;," if mark in text), ",")
        titles = list(islice(_fields(text, self._delimiter), COLUMNS))
        wanted = column or "number"
        self._head = line
        self._titled = not column.isdecimal() or not (
            int(column[:9]) <= len(titles) and syntax.is_candidate(titles[int(column[:9]) - 1])
        )
        places = [place for place, title in enumerate(titles) if title.lower() == wanted.lower()]
        if column.isdecimal() and not places and 1 <= int(column[:9]) <= len(titles):
            places = [int(column[:9]) - 1]
        if not places:
            named = ", ".join([*(repr(title[:SHOWN]) for title in titles[:TITLES]), *(["…"] if len(titles) > TITLES else [])])
            raise Unreadable(line, text, f"a column to choose by ?column=, of {named}")
        self._place = places[0]
        self.name = f"CSV, column {titles[self._place][:SHOWN] if self._titled else self._place + 1}"

    def take(self, number: int, line: str) -> Iterator[Item]:
        """The field."""
        field = next(islice(_fields(line, self._delimiter), self._place, None), None)
        if not syntax.trim(line) or (number == self._head and self._titled):
            yield Item(number)
        elif field is not None and line.count('"') % 2 == 0:
            yield Item(number, field)
        else:
            yield Item(number, error=f"Expected {self._place + 1} fields or more, got {syntax.trim(line)[:SHOWN]!r}")

    def end(self) -> Iterator[Item]:
        """Nothing is left."""
        yield from ()


def _fields(line: str, delimiter: str) -> Iterator[str]:
    """Of a line, without quotation marks, and without the apostrophe that keeps a spreadsheet from computing."""
    found = re.finditer(rf'(?:^|{delimiter})[^\S{delimiter}]*(?:"((?:[^"]|"")*)"[^{delimiter}]*|([^{delimiter}]*))', line)
    fields = ((field[1].replace('""', '"') if field[1] else field[2] or "").strip() for field in found)
    return (field.removeprefix("'") for field in fields)
