"""Reads the integers that clients send, exactly as Python's int() reads them, without its limit of 4,300 digits."""

import re
import unicodedata

# What int() takes in base 10: white space around (but not the separators U+001C to U+001F, which \s takes), one sign,
# decimal digits of any script, single underscores between.
_INTEGER = re.compile(r"[^\S\x1c-\x1f]*([+-]?)(\d+(?:_\d+)*)[^\S\x1c-\x1f]*")


class NotAnInteger(ValueError):
    """The text is not an integer."""


class TooManyDigits(ValueError):
    """The integer has more digits than the server takes."""

    def __init__(self, digits: int, most: int) -> None:
        super().__init__(f"{digits:,} digits came, at most {most:,} are taken")
        self.digits = digits
        self.most = most


def read(text: str, most_digits: int) -> str:
    """The integer in canonical decimal: "-12", "0", "97". Takes time linear in the length of the text.

    Raises NotAnInteger, or TooManyDigits for more than `most_digits` digits (leading zeros not counted).
    """
    if len(text) <= most_digits and text.isascii() and text.isdigit():  # as nearly all are
        return text.lstrip("0") or "0"
    match = _INTEGER.fullmatch(text)
    if match is None:
        raise NotAnInteger("not an integer")
    sign, digits = match.groups()
    if not digits.isascii():
        digits = "".join(c if c == "_" else str(unicodedata.decimal(c)) for c in digits)
    digits = digits.replace("_", "").lstrip("0") or "0"
    if len(digits) > most_digits:
        raise TooManyDigits(len(digits), most_digits)
    return f"-{digits}" if sign == "-" and digits != "0" else digits
