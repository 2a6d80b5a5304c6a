"""The text of an upload becomes chunks: every line once, in order, wherever the pieces of the text end."""

import itertools
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lists.item import Unreadable
from lists.rows import MOST_PARTS
from services.jobs.names import Lane
from services.web.ask import cost
from services.web.upload import candidate, origins
from services.web.upload.cutter import CHUNK_BYTES, CHUNK_COST, CHUNK_LINES, LINE_BYTES, Cut, Cutter

MOST_DIGITS = 1_000
HEAVY = "9" * 300


def cut(pieces: Iterable[bytes]) -> list[Cut]:
    cutter = Cutter(MOST_DIGITS)
    chunks = [chunk for piece in pieces for chunk in cutter.feed(piece)]
    return chunks + list(cutter.end())


def lines_of(chunks: list[Cut]) -> list[str]:
    """What was made of each line: its text, or its error's code."""
    lines = []
    for _, chunk, _ in chunks:
        errors = {refusal.index: refusal.code for refusal in chunk.refused}
        lines += [errors.get(index, text) for index, text in enumerate(chunk.lines)]
    return lines


def split(text: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(ends)]


LINES = st.one_of(
    st.sampled_from(
        ["", " ", "7", "-7", "+7", "007", "1_000", "x", "7 7", "\u0667", "\x1c7", HEAVY, "9" * 1_001, "9" * 90, " 12 "]
    ),
    st.integers(-(10**40), 10**40).map(str),
    st.text(st.characters(exclude_characters="\n\r\\", exclude_categories=["Cs"]), max_size=30),
)


@given(st.lists(LINES, max_size=60), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.lists(st.integers(0, 3_000), max_size=20))
def test_where_the_pieces_end_makes_no_difference(lines: list[str], newline: str, ended: bool, places: list[int]) -> None:
    text = (newline.join(lines) + (newline if ended else "")).encode()
    assert cut(split(text, places)) == cut([text])


@given(st.lists(st.integers(-(10**12), 10**200), min_size=1, max_size=40), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_line_comes_out_once_in_order(numbers: list[int], newline: str, ended: bool) -> None:
    text = newline.join(map(str, numbers)) + (newline if ended else "")
    chunks = cut([text.encode()])
    assert lines_of(chunks) == list(map(str, numbers))
    assert [chunk.number for _, chunk, _ in chunks] == list(range(len(chunks)))
    firsts = [1 + sum(len(before.lines) for _, before, _ in chunks[:n]) for n in range(len(chunks))]
    assert [chunk.first for _, chunk, _ in chunks] == firsts


@given(st.lists(LINES, max_size=60), st.lists(st.integers(0, 3_000), max_size=20))
def test_texts_are_kept_where_they_are_wanted_and_the_chunks_are_the_same(lines: list[str], places: list[int]) -> None:
    text = "\n".join(lines).encode()
    cutter = Cutter(MOST_DIGITS, keep=True)
    kept = [each for piece in split(text, places) for each in cutter.feed(piece)] + list(cutter.end())
    assert [(lane, chunk) for lane, chunk, _ in kept] == [(lane, chunk) for lane, chunk, _ in cut([text])]
    for _, chunk, packed in kept:
        found = origins.unpack(packed)
        assert found is not None and found.plain and len(found.each) == len(chunk.lines)
        for place, (origin, number) in enumerate(zip(found.each, chunk.lines, strict=True), chunk.first):
            line = lines[place - 1]
            assert origin is None or (origin.line == place and origin.text in line)
            # Of a short line the leading zeros go out, too.
            assert not number or (origin is not None and str(int(number)) == candidate.read(origin.text, MOST_DIGITS).number)


def test_a_number_of_many_lines_is_joined_in_a_time_that_grows_with_its_length() -> None:
    text = (b"1" * LINE_BYTES + b"\\\n" + b"1\\\n" * 9_990 + b"1\n") * 30
    began = time.process_time()
    chunks = cut([text])
    assert time.process_time() - began < 0.6  # where what was joined is copied for each line, it takes 1.2 s, else a tenth of that
    assert [refusal.code for _, chunk, _ in chunks for refusal in chunk.refused] == ["too_large"] * 30


@given(st.lists(LINES, max_size=80))
def test_a_chunk_costs_little_or_is_one_number(lines: list[str]) -> None:
    for lane, chunk, _ in cut(["\n".join(lines).encode()]):
        costs = [cost.estimate(line) for line in chunk.lines if line]
        if lane is Lane.HEAVY:
            assert len(chunk.lines) == 1 and cost.lane(costs[0]) is Lane.HEAVY
        else:
            assert all(cost.lane(each) is Lane.QUICK for each in costs)
            plain = all(len(line) <= 20 for line in chunk.lines)
            assert sum(map(bool, chunk.lines)) <= CHUNK_LINES and (plain or sum(costs) <= CHUNK_COST)


def test_short_numbers_fill_a_chunk() -> None:
    chunks = cut([b"18446744073709551557\n" * (2 * CHUNK_LINES + 1)])
    assert [len(chunk.lines) for _, chunk, _ in chunks] == [CHUNK_LINES, CHUNK_LINES, 1]


def test_a_dear_number_is_alone() -> None:
    chunks = cut([f"2\n{HEAVY}\n3\n5".encode()])
    assert [(lane, chunk.text) for lane, chunk, _ in chunks] == [(Lane.QUICK, "2"), (Lane.HEAVY, HEAVY), (Lane.QUICK, "3\n5")]


def test_blank_lines_are_counted_and_no_answers() -> None:
    cutter = Cutter(MOST_DIGITS)
    list(cutter.feed(b"2\n\n \t\n\r\n3\n"))
    (chunk,) = [chunk for _, chunk, _ in cutter.end()]
    assert chunk.lines == ["2", "", "", "", "3"]
    assert (cutter.lines, cutter.answers, cutter.chunks) == (5, 2, 1)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_empty_lines_alone_are_counted_and_make_no_chunk(newline: bytes) -> None:
    cutter = Cutter(MOST_DIGITS)
    ((_, chunk, _),) = [*cutter.feed(newline * 100_000), *cutter.feed(b"7\n"), *cutter.end()]
    assert (chunk.number, chunk.first, chunk.lines, cutter.lines) == (0, 100_001, ["7"], 100_001)


def test_empty_lines_between_numbers_make_no_chunks_of_their_own() -> None:
    chunks = cut([(b"7" + b"\n" * 10) * 1_000])
    assert len(chunks) == 2
    assert sum(map(bool, lines_of(chunks))) == 1_000


def test_an_empty_text_has_no_lines() -> None:
    cutter = Cutter(MOST_DIGITS)
    assert [*cutter.feed(b""), *cutter.end()] == []
    assert (cutter.lines, cutter.answers, cutter.chunks) == (0, 0, 0)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (b"seven", "not_an_integer", "Expected an integer such as 97 or an expression such as 2^127-1, got 'seven'"),
        (b"\xff\xfe", "not_an_integer", "got '\ufffd\ufffd'"),
        (b"1" * 1_001, "too_large", "1,001 digits came, at most 1,000 are taken"),
        (b"1" * (LINE_BYTES + 1), "too_large", "a line of more than 65,536 bytes came"),
    ],
    ids=["word", "no text", "digits", "bytes"],
)
def test_a_bad_line_has_an_error_of_its_own(line: bytes, code: str, words: str) -> None:
    chunks = cut([b"2\n" + line + b"\n3"])
    ((number, refusal),) = [(chunk.first + refusal.index, refusal) for _, chunk, _ in chunks for refusal in chunk.refused]
    assert (number, refusal.code) == (2, code)
    assert words in refusal.message
    assert lines_of(chunks) == ["2", code, "3"]


@pytest.mark.parametrize("size", [LINE_BYTES, LINE_BYTES + 1], ids=["longest", "too long"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b""], ids=["LF", "CRLF", "none"])
def test_the_longest_line_is_the_same_in_one_piece_and_in_many(size: int, newline: bytes) -> None:
    text = b"7".rjust(size, b"0") + newline
    one, many = cut([text]), cut([text[n : n + 1_000] for n in range(0, len(text), 1_000)])
    assert one == many
    assert lines_of(one) == (["7"] if size == LINE_BYTES else ["too_large"])


def test_a_text_without_a_newline_is_not_held() -> None:
    cutter = Cutter(MOST_DIGITS)
    for _ in range(1_000):
        assert list(cutter.feed(b"1" * 65_536)) == []
        assert len(cutter._rest) <= LINE_BYTES + 2
    ((_, chunk, _),) = cutter.end()
    assert [refusal.code for refusal in chunk.refused] == ["too_large"]


def test_no_more_than_a_chunk_of_lines_waits_for_the_next_piece() -> None:
    cutter = Cutter(MOST_DIGITS)
    for line in (b"7\n", b"\n", b"x\n", HEAVY.encode() + b"\n"):
        for _ in cutter.feed(line * 3_000):
            pass
        assert cutter._filled < CHUNK_LINES
        assert len(cutter._waiting) <= cutter._bytes < CHUNK_BYTES


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"7\n\n1234\\\n5678\n9", ["7", "", "12345678", "", "9"]),
        (b"7\n1234\\\r\n5678\\\r\n90", ["7", "1234567890", "", ""]),
        (b"7\n1234\\", ["7", "not_an_integer"]),
        (b"7\n1234\\\n5\\", ["7", "not_an_integer", ""]),
    ],
    ids=["LF", "CRLF", "end", "second end"],
)
def test_a_number_that_goes_on_in_the_next_line_is_one(text: bytes, lines: list[str], size: int) -> None:
    assert lines_of(cut(text[at : at + size] for at in range(0, len(text), size))) == lines


def test_a_number_over_too_many_lines_ends_the_text_and_is_not_held() -> None:
    cutter = Cutter(MOST_DIGITS)
    for _ in range(MOST_PARTS):
        list(cutter.feed(b"1" * 60 + b"\\\n"))
        assert len(cutter._joined) <= LINE_BYTES + 1
    with pytest.raises(Unreadable, match="a number in at most 10,000 lines"):
        list(cutter.feed(b"1\\\n"))


@pytest.mark.parametrize(
    ("line", "became"),
    [
        (b"2^7-1", "127"),
        (b"31# - 1", "200560490129"),
        (b"97 # a prime", "97"),
        (b"97 // a prime", "97"),
        (b"# nothing", ""),
        ("2\u00b9\u00b2\u2212\u0033".encode(), "4093"),
        (b"7/2", "no_integer"),
        (b"2^4000", "too_large"),
        (b"10^1000", "too_large"),
        (b"31 #", "not_an_integer"),
        (b"5 -3", "not_an_integer"),
        (b"7 7", "not_an_integer"),
        (b"1,000", "not_an_integer"),
        (b"2^7-1 2", "not_an_integer"),
    ],
)
def test_a_line_is_an_expression_or_has_a_comment(line: bytes, became: str) -> None:
    assert lines_of(cut([b"2\n" + line + b"\n3"])) == ["2", became, "3"]


def test_an_expression_with_many_large_values_on_its_way_is_refused_before_it_is_computed() -> None:
    line = "-".join(["400!"] * 60)
    ((_, chunk, _),) = cut([f"2\n{line}\n3".encode()])
    assert "too many large numbers on the way" in chunk.refused[0].message
