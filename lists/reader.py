"""Tells by the first lines which form a file has, and reads its numbers. No I/O, and no more than a few lines are held."""

from collections.abc import Iterator

from lists import syntax
from lists.blocks import ABC2, VECTOR, Abc2, Separated, Vector
from lists.item import Item, Unreadable
from lists.rows import ABC, LOG, NEWPGEN, PIECE, WORK, Abc, BFile, Csv, Lines, NewPGen, Records, is_continued

MOST_HELD = 20  # lines between the first number and the second: more blank ones and comments tell no more

Form = Lines | BFile | Abc | NewPGen | Records | Csv | Separated | Vector | Abc2

EXPECTED = "integers or expressions, one a line, or another form that is read (b-file, ABC file, vector, CSV, log)"


class Reader:
    """Takes the lines of one file in order. What is blank or a comment before the first number belongs to every form."""

    def __init__(self, column: str = "") -> None:
        """`column`: of CSV, a title or a number from 1 on; where one is given, the file is CSV."""
        self._column = column
        self._commented = False  # whether a comment came before the first number
        self._held: list[tuple[int, str]] = []  # from the first number on, as long as the form is not known
        self.form: Form | None = None

    @property
    def holding(self) -> bool:
        """Whether the first number came and does not yet tell the form."""
        return bool(self._held)

    def take(self, number: int, line: str) -> Iterator[Item]:
        """What is in the next line, which has this number. Iterate to the end before the next call. Raises Unreadable."""
        if self.form is not None:
            yield from self.form.take(number, line)
        elif not self._held and syntax.is_empty(line):
            self._commented = self._commented or bool(syntax.trim(line))
            yield Item(number)
        else:
            self._held.append((number, line))
            yield from self._recognise(ended=len(self._held) > MOST_HELD)

    def end(self) -> Iterator[Item]:
        """The file is over. Raises Unreadable."""
        if self._held:
            yield from self._recognise(ended=True)
        if self.form is not None:
            yield from self.form.end()

    def _recognise(self, *, ended: bool) -> Iterator[Item]:
        self.form = self._find_form(*self._held[0], ended=ended)
        if self.form is not None:
            held, self._held = self._held, []
            for number, line in held:
                yield from self.form.take(number, line)

    def _find_form(self, number: int, line: str, *, ended: bool) -> Form | None:
        """None where the next number has to tell."""
        text = syntax.strip(line)
        if self._column:
            return Csv(number, line, self._column)
        if syntax.INTEGERS.fullmatch(text):
            return self._find_list(syntax.words(text), ended=ended)
        if form := _find_program(number, line):
            return form
        if (
            syntax.is_candidate(text)
            or syntax.is_word(text)
            or syntax.is_candidate(syntax.trim(line))
            or (is_continued(text) and syntax.is_candidate(text[:-1]))
        ):
            return Lines()
        parts = syntax.separate(text)
        if len(parts) > 1 and all(syntax.is_candidate(syntax.trim(part)) for part in parts):
            return Separated()
        if any(mark in text for mark in "\t;,") and "<" not in text:
            return Csv(number, line, "")
        raise Unreadable(number, line, EXPECTED)

    def _find_list(self, fields: list[str], *, ended: bool) -> Form | None:
        """A b-file, whose indices count up, or a list."""
        if len(fields) > 2:
            return Separated()
        for _, line in self._held[1:]:
            if not syntax.is_empty(line):
                following = syntax.words(syntax.strip(line))
                both = len(following) == 2 and all(map(syntax.INTEGER.fullmatch, [*following, *fields]))
                return BFile() if both and _to_int(following[0]) == _to_int(fields[0]) + 1 else Separated()
        return (BFile() if self._commented else Separated()) if ended else None


def _to_int(text: str) -> int:
    return int(text.replace("_", "").replace("\u2212", "-")[:18])


def _find_program(number: int, line: str) -> Form | None:  # noqa: PLR0911 # one for each
    """The form by which a program is known."""
    text = syntax.trim(line)
    if ABC2.match(text):
        return Abc2(number, line)
    if ABC.match(text):
        return Abc(number, line)
    if NEWPGEN.fullmatch(text):
        return NewPGen()
    if VECTOR.match(text) and not text.startswith(('{"', "[{")):
        return Vector(line)
    if WORK.fullmatch(text):
        return Records("GIMPS worktodo")
    if PIECE.fullmatch(text):
        return Records("list of factors")
    if text.startswith("PFGW Version") or ((found := LOG.match(text)) and syntax.is_candidate(found[1])):
        return Records("log")
    return None
