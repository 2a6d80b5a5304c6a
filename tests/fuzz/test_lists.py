"""Files of every form, right and nearly right: each is read or refused, within a time that grows with its length."""

import time

from hypothesis import example, given
from hypothesis import strategies as st

from lists.item import Item, Unreadable
from lists.reader import Reader
from services.web.upload.collector import TooMuch
from services.web.upload.source import Source
from tests.fuzz.sentences import check_sentence

LONG = 20_000  # times that a part stands in a line: what takes steps by the square of that takes many seconds
LONGEST = 65_536  # characters of a line
SECONDS = 5.0  # of a processor: a bound that no machine needs, since what is read in its time takes some hundredths
MOST = 1_000  # digits

heads = st.sampled_from(
    [
        "",
        "ABC ",
        "ABCD ",
        "ABC2 ",
        "1000:P:1:2:257",
        "[",
        "{",
        "v = [",
        "%1 = {",
        "PFGW Version 4",
        "Test=",
        "PRP=N/A,",
        "P2 = ",
        "UID: ",
    ]
)
words = "7 97 0 0x1 0x11 1e5 M7 M x fib( binomial(2, p \u0667 \u00b2 $a $z $a$b -3 is prime number [1,,2] 12345678901234567_ // # "
signs = r"""+ - * / ^ ! # ( ) () [ ] { } , ; : . " "" ' \ \\ _ = &"""
blanks = [" ", "\t", "\r", "\x0b", "\xa0", "\u3000"]
phrases = [
    " is 3-",
    "-PRP",
    " has factors",
    "a: from 1 to 9",
    "a: in { 1 5 }",
    " step 2",
    "b: primes from 2 to 9",
    "[1 2]",
    "9" * 5_000,
]
parts = st.sampled_from([*words.split(), *signs.split(), *blanks, *phrases])
few = st.lists(parts, max_size=8).map("".join)
texts = st.builds(lambda head, lines: head + "\n".join(lines), heads, st.lists(few, max_size=6))
runs = st.lists(
    st.tuples(st.lists(parts, min_size=1, max_size=2).map("".join), st.sampled_from([1, 1, LONG])), min_size=1, max_size=4
)
long_lines = st.builds(lambda head, run: (head + "".join(part * times for part, times in run))[:LONGEST], heads, runs)


def read(text: str, column: str = "") -> list[Item] | None:
    """What a file has; None where it is refused."""
    reader, items = Reader(column), list[Item]()
    try:
        for number, line in enumerate(text.split("\n"), 1):
            items += reader.take(number, line)
        items += reader.end()
    except Unreadable as error:
        check_sentence(error)
        return None
    return items


@given(texts, st.sampled_from(["", "1", "number"]))
@example("1 2\n12345678901234567_8 5", "")
@example(f"ABCD $a [{'9' * 4_300}]\n1", "")
@example("ABCD $a [1,,2]", "")
def test_a_file_is_read_or_refused_with_a_sentence(text: str, column: str) -> None:
    items = read(text, column)
    if items is not None:
        assert all(bool(item.text) != bool(item.error) or not (item.text or item.error) for item in items)


@given(st.lists(long_lines, min_size=1, max_size=2).map("\n".join), st.sampled_from(["", "1"]))
@example(f"1{' ' * LONGEST}1", "")
@example(f"{'+'.join(['0x11'] * 60)}.", "")
@example(f"[{'(' * LONGEST}", "")
def test_a_long_line_is_read_in_a_time_that_grows_with_its_length(text: str, column: str) -> None:
    began = time.process_time()
    read(text, column)
    assert time.process_time() - began < SECONDS


@given(st.one_of(texts, long_lines), st.sampled_from([7, 5_000, 1 << 16]))
def test_an_upload_of_any_form_is_cut_in_a_time_that_grows_with_its_length(text: str, size: int) -> None:
    source, data, began = Source(MOST), text.encode(), time.process_time()
    try:
        for at in range(0, len(data), size):
            list(source.feed(data[at : at + size]))
        list(source.end())
    except (Unreadable, TooMuch) as error:
        check_sentence(error)
    assert time.process_time() - began < SECONDS
