"""Hands out the lines of a text one by one, for the readers of formats that have one thing a line."""

import re
from typing import NoReturn

from .arithmetic import whole
from .text import MOST_DIGITS, Malformed, quote

SPACES = " \t\r"
_NUMBER = re.compile(r"(-?)(?:(?:\$|0x)([0-9A-Fa-f]+)|([0-9]+))")
_BARE = re.compile(r"(-?)([0-9A-Fa-f]+)")


class Lines:
    """The lines that are not empty, without spaces at their ends; those that begin with `comment` are left out."""

    def __init__(self, text: str, comment: str | None = None) -> None:
        numbered = ((number, line.rstrip(SPACES)) for number, line in enumerate(text.split("\n"), 1) if line.strip(SPACES))
        self._lines = [(number, line) for number, line in numbered if not (comment and line.lstrip(SPACES).startswith(comment))]
        self._at = 0  # the next line

    @property
    def more(self) -> bool:
        """Whether a line is left."""
        return self._at < len(self._lines)

    def take(self, expected: str) -> str:
        """The next line."""
        if not self.more:
            raise Malformed(f"end of the text: expected {expected}")
        self._at += 1
        return self._lines[self._at - 1][1]

    def fields(self) -> list[str]:
        """The words of the line that was handed out last."""
        return self._lines[self._at - 1][1].split()

    def fail(self, expected: str) -> NoReturn:
        """Of the line that was handed out last."""
        number, line = self._lines[self._at - 1]
        raise Malformed(f"line {number}: expected {expected}, got {quote(line)}")

    def fail_next(self, expected: str) -> NoReturn:
        """Of the next line."""
        self.take(expected)
        self.fail(expected)

    def title(self, title: str) -> None:
        """A line that is this."""
        if self.take(title) != title:
            self.fail(title)

    def next_is(self, *beginnings: str) -> bool:
        """Whether the next line begins with one of these."""
        return self.more and self._lines[self._at][1].startswith(beginnings)

    def skip_to(self, title: str) -> None:
        """The title, after whatever stands before it."""
        while self.take(title) != title:
            pass

    def value(self, beginning: str, expected: str = "") -> str:
        """What follows the beginning of the next line."""
        expected = expected or beginning
        line = self.take(expected)
        if not line.startswith(beginning):
            self.fail(expected)
        return line[len(beginning) :]

    def number(self, beginning: str, expected: str = "") -> int:
        """One that is hexadecimal with `$` or `0x`, and decimal without."""
        match = self._match(_NUMBER, beginning, expected, "a number such as $1F, -$1F or 0x1F")
        return whole(match[1] + match[2], 16) if match[2] else whole(match[1] + match[3], 10)

    def bare_number(self, beginning: str, expected: str = "") -> int:
        """One that is hexadecimal without a sign of that."""
        match = self._match(_BARE, beginning, expected, "a hexadecimal number such as 1F or -1F")
        return whole(match[1] + match[2], 16)

    def _match(self, pattern: re.Pattern[str], beginning: str, expected: str, example: str) -> re.Match[str]:
        value = self.value(beginning, expected)
        if len(value) > MOST_DIGITS:
            self.fail(f"{beginning} and at most {MOST_DIGITS} characters")
        match = pattern.fullmatch(value)
        if not match:
            self.fail(f"{beginning} and {example}")
        return match

    def end(self, expected: str) -> None:
        """No line is left."""
        if self.more:
            self.fail_next(expected)
