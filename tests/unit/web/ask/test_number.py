"""number.read takes exactly what Python's int() takes, and gives the canonical form of it."""

import contextlib
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.web.ask.number import LONGEST, NotAnInteger, TooLong, TooManyDigits, read

CHARACTERS = [chr(code) for code in range(0x20000)]  # beyond these two planes Unicode has no white space and no digits
WHITE_SPACE = [c for c in CHARACTERS if c.isspace()]
DECIMALS = [c for c in CHARACTERS if c.isdecimal()]
# what looks like a digit, a sign or a space and is none
LOOKALIKES = [*"\u00b2\u2460\u00bd\u4e00\u2212\uff0b\uff0d\uff3f\u200b\u2060\ufeff\u180e"]
OTHERS = ["\x00", "\x7f", "\x85", "\ud800", "\udfff", "\U0010ffff", *"eExXoObB.,aFjJ'\"()/*"]

ascii_digit = st.sampled_from("0123456789")
any_character = st.integers(0, sys.maxunicode).map(chr)  # st.text() would first make tables for seconds
any_digit = st.sampled_from(DECIMALS)
digit = st.one_of(ascii_digit, any_digit)
space = st.text(st.sampled_from(WHITE_SPACE), max_size=3)
character = st.one_of(digit, st.sampled_from("+-_"), st.sampled_from(WHITE_SPACE), st.sampled_from(LOOKALIKES + OTHERS))
digits = st.lists(st.text(digit, min_size=1, max_size=8), min_size=1, max_size=4).map("_".join)
well_formed = st.builds("{}{}{}{}".format, space, st.sampled_from(["", "+", "-"]), digits, space)


# the ways to be wrong are many
MANY = settings(max_examples=max(400, settings().max_examples))


@st.composite
def marred(draw: st.DrawFn) -> str:
    """An integer with one character more somewhere."""
    text = draw(well_formed)
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(character) + text[at:]


def by_int(text: str) -> str | None:
    """Canonical decimal by Python's own reading; None where it refuses."""
    try:
        return str(int(text))
    except ValueError:
        return None


def by_us(text: str) -> str | None:
    try:
        return read(text, most_digits=4_300)
    except NotAnInteger:
        return None


@MANY
@given(st.one_of(well_formed, marred(), st.text(character, max_size=12), st.text(any_character, max_size=12)))
def test_reads_what_int_reads_and_refuses_what_int_refuses(text: str) -> None:
    assert by_us(text) == by_int(text)


def test_every_character_means_what_it_means_to_int() -> None:
    different = [c for c in CHARACTERS if by_us(c + "7" + c) != by_int(c + "7" + c)]
    assert different == []


@given(st.text(ascii_digit, min_size=1, max_size=4_300), st.sampled_from(["", "+", "-"]))
def test_reads_every_length_that_int_reads(digits: str, sign: str) -> None:
    assert read(sign + digits, most_digits=4_300) == by_int(sign + digits)


@given(well_formed)
def test_what_was_read_reads_as_itself(text: str) -> None:
    canonical = by_us(text.strip("\x1c\x1d\x1e\x1f"))
    if canonical is not None:
        assert read(canonical, most_digits=4_300) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("7", "7"),
        ("+7", "7"),
        ("-7", "-7"),
        (" 7 ", "7"),
        ("\t\r\n\v\f7\u2028", "7"),
        ("007", "7"),
        ("-007", "-7"),
        ("0", "0"),
        ("-0", "0"),
        ("+000", "0"),
        ("1_000", "1000"),
        ("0_0", "0"),
        ("\u0661\u0662\u0663", "123"),
        ("\uff11_\u0e52", "12"),
        ("9" * 18, "9" * 18),
        ("9" * 19, "9" * 19),
    ],
)
def test_gives_the_canonical_form(text: str, canonical: str) -> None:
    assert read(text, most_digits=20) == canonical


ASCII = [
    "",
    " ",
    "+",
    "-",
    "--7",
    "+-7",
    "+ 7",
    "7 7",
    "1e3",
    "7.0",
    "7,000",
    "0x10",
    "0b1",
    "_1",
    "1_",
    "1__0",
    "-_1",
    "NaN",
    "inf",
]
BEYOND = ["\x00", "7\x00", "\x007", "\ud800", "\u00b2", "\u22127", "\u200b7", "\ufeff7", "\u4e03"]


@pytest.mark.parametrize("text", ASCII + BEYOND)
def test_refuses_what_is_no_integer(text: str) -> None:
    with pytest.raises(NotAnInteger, match=r"^not an integer$"):
        read(text, most_digits=20)


@pytest.mark.parametrize("most", [18, 19, 20, 10_000, 1_000_000])
@pytest.mark.parametrize("around", ["{}", "-{}", " +{}\n", "000{}"])
def test_takes_as_many_digits_as_are_allowed(most: int, around: str) -> None:
    assert read(around.format("9" * most), most).removeprefix("-") == "9" * most


@pytest.mark.parametrize("around", ["{}", "-{}", " +{}\n", "000{}", "0_{}"])
def test_refuses_one_digit_more_than_allowed(around: str) -> None:
    with pytest.raises(TooManyDigits, match=r"^10,001 digits came, at most 10,000 are taken$") as refusal:
        read(around.format("9" * 10_001), most_digits=10_000)
    assert (refusal.value.digits, refusal.value.most) == (10_001, 10_000)


def test_refuses_one_digit_more_than_allowed_of_a_short_number() -> None:
    with pytest.raises(TooManyDigits, match=r"^3 digits came, at most 2 are taken$"):
        read("123", most_digits=2)


def test_leading_zeros_do_not_count_as_digits() -> None:
    assert read("0" * 10_000 + "97", most_digits=20) == "97"
    assert read("-" + "0_" * 10_000 + "0", most_digits=20) == "0"


def test_a_refusal_does_not_depend_on_the_size_being_allowed() -> None:
    with pytest.raises(NotAnInteger):
        read("9" * 100 + "x", most_digits=20)


MILLION = 1_000_000

KINDS = {
    "digits": "9",
    "underscores": "1_",
    "underscores alone": "_",
    "spaces": " ",
    "digits and spaces": "7 ",
    "Arabic": "\u0669",
    "Arabic with underscores": "\u0669_",
    "wide spaces": "\u3000",
    "zeros": "0",
    "signs": "-",
}


@pytest.mark.parametrize("end", ["", "x", "9"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_long_text_is_refused_by_its_length_alone(kind: str, end: str) -> None:
    with pytest.raises(TooLong, match=r"^1,0\d\d,\d\d\d characters came, at most 65,536 are taken$"):
        read(kind * (MILLION // len(kind) + 1) + end, most_digits=10_000)


@pytest.mark.parametrize("end", ["", "x", "9"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_reading_takes_no_more_memory_than_twice_the_text(kind: str, end: str) -> None:
    for length in (1_000, 10_000, 20_000, LONGEST):
        text = (kind * length)[: length - len(end)] + end
        assert _peak(text) <= 2 * sys.getsizeof(text) + SLACK


SLACK = 4_096  # bytes: errors and frames


def _peak(text: str) -> int:
    """Bytes that reading took at most."""
    tracemalloc.start()
    try:
        with contextlib.suppress(NotAnInteger, TooManyDigits):
            read(text, most_digits=10_000)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_takes_a_million_digits_at_once() -> None:
    assert read("+" + "9" * MILLION, MILLION) == "9" * MILLION
