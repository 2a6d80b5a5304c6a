"""Reads the integers that clients send, exactly as Python's int() reads them, without its limit of 4,300 digits."""

import unicodedata

LONGEST = 65_536  # characters that a number may have whatever the most digits are: leading zeros and blanks are free
DIGIT_CHARACTERS = 2  # of a digit with an underscore

_CHARACTERS = [chr(code) for code in range(0x20000)]  # beyond these two planes Unicode has no white space and no digits
# White space to int(), which does not take the separators U+001C to U+001F for it.
_BLANKS = "".join(c for c in _CHARACTERS if c.isspace() and c not in "\x1c\x1d\x1e\x1f")
# The decimal digits of all scripts; a table, since a look at each character would take ten times as long.
_DIGITS = {ord(c): str(unicodedata.decimal(c)) for c in _CHARACTERS if c.isdecimal()}


class NotAnInteger(ValueError):
    """The text is not an integer."""


class TooManyDigits(ValueError):
    """The integer has more digits than the server takes."""

    def __init__(self, digits: int, most: int) -> None:
        super().__init__(f"{digits:,} digits came, at most {most:,} are taken")
        self.digits = digits
        self.most = most


class TooLong(ValueError):
    """The text has more characters than are looked at."""


TOO_LARGE = (TooManyDigits, TooLong)


def longest(most_digits: int) -> int:
    """Characters of the longest text that is looked at."""
    return max(LONGEST, DIGIT_CHARACTERS * most_digits)


def read(text: str, most_digits: int) -> str:
    """The integer in canonical decimal: "-12", "0", "97". Takes time linear in the length of the text, and little memory besides.

    Raises NotAnInteger, or TooManyDigits for more than `most_digits` digits (leading zeros not counted), or TooLong.
    """
    if len(text) <= most_digits and text.isascii() and text.isdigit():  # as nearly all are
        return text.lstrip("0") or "0"
    if len(text) > longest(most_digits):
        raise TooLong(f"{len(text):,} characters came, at most {longest(most_digits):,} are taken")
    sign, digits = _part(text.strip(_BLANKS))
    if len(digits) > most_digits:
        raise TooManyDigits(len(digits), most_digits)
    return f"-{digits}" if sign == "-" and digits != "0" else digits


def _part(text: str) -> tuple[str, str]:
    """The sign and the digits, of ASCII and without leading zeros. Raises NotAnInteger."""
    sign = text[:1] if text[:1] in ("+", "-") else ""
    digits = text[len(sign) :]
    plain = digits.replace("_", "")
    if not plain.isdecimal() or "__" in digits or digits[0] == "_" or digits[-1] == "_":
        raise NotAnInteger("not an integer")
    if not plain.isascii():
        plain = plain.translate(_DIGITS)
    return sign, plain.lstrip("0") or "0"
