"""What looks like a number, an expression or a comment. Words and signs alone: no value is computed, and none is checked."""

import re

_SUPERSCRIPT = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
# White space to int(), written out since languages differ in what they call so.
BLANK = r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_BLANKS = re.compile(rf"{BLANK}+")
_ENDS = "".join(filter(re.compile(BLANK).match, map(chr, range(0x3001))))  # of a line, where they mean nothing
_SIGN = r"[+\-\u2212]"

# Possessive: a group that is repeated and may be given back again takes a hundred bytes each time; and what can be read in two
# ways, as 0x11 where digits may be given back, is tried in both ways, twice as often with each that stands before what is wrong.
INTEGER = re.compile(rf"{_SIGN}?\d++(?:_\d++)*+")
INTEGERS = re.compile(rf"{_SIGN}?\d++(?:{BLANK}++{_SIGN}?\d++)++")  # with blanks between them
_CANDIDATE = re.compile(
    r"(?=.*\d)(?:0[xX][0-9a-fA-F]++|[\d_+\-*/^!#(),\t-\r \u2212\u00d7\u22c5\u00b7"
    + _SUPERSCRIPT
    + r"]|(?<=\d)[eE](?=\d)|M(?=\d)|[A-Za-z]++(?=\())++",
    re.DOTALL,
)
_BETWEEN = re.compile(rf"(?<=[\d)!#]){BLANK}+(?=[\d(A-Za-z])")  # where two stand side by side
_GROUPED = re.compile(rf"{_SIGN}?\d{{1,3}}(?:,\d{{3}})++")  # 1,000: one number or two
_COMMENT = re.compile(rf"{BLANK}(?:#|//|\\\\).*", re.DOTALL)
_COMMENT_LINE = re.compile(rf"{BLANK}*(?:#|//|\\\\|;|\Z)")
_WORD = re.compile(r"[A-Za-z_]\w*")


def is_empty(line: str) -> bool:
    """Whether a line is blank or nothing but a comment."""
    return _COMMENT_LINE.match(line) is not None


def is_candidate(text: str) -> bool:
    """Whether it looks like one integer or expression."""
    return _CANDIDATE.fullmatch(text) is not None and not _BETWEEN.search(text) and len(split(text)) == 1


def is_word(text: str) -> bool:
    """Whether it is a word without blanks, such as the title of a column."""
    return _WORD.fullmatch(text) is not None


def strip(line: str) -> str:
    """The line without a comment behind its number, and without the semicolon that ends a statement."""
    return trim(trim(_COMMENT.sub("", line)).removesuffix(";"))


def trim(text: str) -> str:
    """Without blanks at both ends."""
    return text.strip(_ENDS)


def words(text: str) -> list[str]:
    """Its parts between blanks."""
    return [word for word in _BLANKS.split(text) if word]


def is_ambiguous(line: str) -> bool:
    """Whether it may be meant in two ways: `31 #`, `5 -3`, `1,000`."""
    text = trim(line)
    return (
        (_COMMENT.search(text) is not None and _CANDIDATE.fullmatch(text) is not None and "#" in text)
        or INTEGERS.fullmatch(text) is not None
        or _GROUPED.fullmatch(text) is not None
    )


def split(text: str, delimiter: str = ",") -> list[str]:
    """Its parts between delimiters that stand in no parentheses."""
    if delimiter not in text:
        return [text]
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == delimiter and depth <= 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def separate(text: str) -> list[str]:
    """The numbers of a line, by commas or semicolons if it has any, else by blanks."""
    if INTEGERS.fullmatch(text):
        return words(text)
    parts = [part for piece in split(text) for part in split(piece, ";")]
    if len(parts) > 1 and not trim(parts[-1]):
        parts.pop()  # a comma at the end of the line
    return parts if len(parts) > 1 else _BETWEEN.split(text)
