"""The text of an upload, whatever its form, becomes chunks: every number once, in order, wherever its pieces end."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lists.item import Unreadable
from services.web.upload import collector, origins
from services.web.upload.collector import MOST_LINES, TooMuch
from services.web.upload.cutter import CHUNK_LINES, LINE_BYTES, Cut
from services.web.upload.source import Source
from tests.unit.clients.twins import table

MOST_DIGITS = 1_000
CASES: list[dict[str, Any]] = table("lists")["lists"]
FILES: list[dict[str, Any]] = [case for case in table("lists")["files"] if not case["name"].startswith("gzip")]


def cut(text: bytes, size: int = 0, column: str = "", *, keep: bool = False) -> tuple[Source, list[Cut]]:
    source = Source(MOST_DIGITS, column, keep=keep)
    pieces = [text[at : at + size] for at in range(0, len(text), size)] if size else [text]
    cuts = [each for piece in pieces for each in source.feed(piece)]
    return source, cuts + list(source.end())


def told(cuts: list[Cut]) -> list[tuple[int, str]]:
    """The place of each number, and it or the code of its error."""
    found = []
    for _, chunk, _ in cuts:
        errors = {refusal.index: refusal.code for refusal in chunk.refused}
        found += [(chunk.first + index, errors.get(index, text)) for index, text in enumerate(chunk.lines)]
    return [(place, text) for place, text in found if text]


def test_numbers_that_are_too_long_to_be_kept_are_told_by_their_values_in_small_chunks() -> None:
    head = f"ABCD {'+'.join(['$a'] * 17)} [{'9' * 4_000}]\n"
    _, cuts = cut(head.encode() + b"1\n" * 20)
    packed = [origins.unpack(each.origins) for each in cuts]
    told = [[(origin.text, len(origin.variables[0][1])) for origin in kept.each if origin] for kept in packed if kept]
    assert told == [[("", 4_000)], *[[("", 4_001)]] * 20]


@pytest.mark.parametrize("template", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        "+".join(["fib(64)"] * 66),
        "+".join(["1"] * 101),  # of which one is too many
        "+".join(["1e1"] * 200),
        f"({'+'.join(['binomial(10000,600)^0'] * 12)})/7",
    ],
    ids=["many numbers", "too many", "many more", "large values"],
)
def test_lines_that_are_costly_to_read_make_small_chunks(line: str, template: bool) -> None:
    text = f"ABC {line}+$a\n" + "1\n" * 50 if template else f"{line}\n" * 50
    _, cuts = cut(text.encode())
    assert sum(len(chunk.lines) for _, chunk, _ in cuts) >= 50
    assert max(len(chunk.lines) for _, chunk, _ in cuts) <= 10


@pytest.mark.parametrize("size", [1, 7, 0], ids=["bytes", "pieces", "whole"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_table_is_followed_wherever_pieces_end(case: dict[str, Any], size: int) -> None:
    text, column = case["text"].encode(), case.get("column", "")
    if "refused" in case:
        with pytest.raises(Unreadable, match=f"line {case['refused']}:"):
            cut(text, size, column)
        return
    source, cuts = cut(text, size, column)
    plain = case["form"] in ("", "list, one number a line")
    assert source.form == ("" if plain else case["form"])
    assert source.answers == len(told(cuts)) == len(case["items"])
    assert source.lines == text.count(b"\n") + (not text.endswith(b"\n"))
    kept = [(chunk, origins.unpack(packed)) for _, chunk, packed in cuts]
    assert all((origin is None) == plain for _, origin in kept)
    if plain:
        assert [place for place, _ in told(cuts)] == [item[0] for item in case["items"]]
        return
    each = [origin for _, found in kept if found for origin in found.each if origin]
    assert [origin.line for origin in each] == [item[0] for item in case["items"]]
    assert [(origin.text or None, origin.index, dict(origin.variables)) for origin in each] == [
        (
            item[1],
            next((more for more in item[2:] if isinstance(more, str)), ""),
            next((more for more in item[2:] if isinstance(more, dict)), {}),
        )
        for item in case["items"]
    ]


PLAIN = [case for case in CASES if case.get("form") in ("", "list, one number a line")]


@pytest.mark.parametrize("size", [1, 7, 0], ids=["bytes", "pieces", "whole"])
@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case["name"])
def test_a_plain_list_has_its_texts_where_they_are_wanted(case: dict[str, Any], size: int) -> None:
    _, cuts = cut(case["text"].encode(), size, keep=True)
    kept = [found for _, _, packed in cuts if (found := origins.unpack(packed))]
    assert len(kept) == len(cuts) and all(found.plain for found in kept)
    each = [origin for found in kept for origin in found.each if origin]
    assert [(origin.line, origin.text) for origin in each] == [(item[0], item[1]) for item in case["items"] if item[1]]


@pytest.mark.parametrize("size", [1, 0], ids=["bytes", "whole"])
@pytest.mark.parametrize("case", FILES, ids=lambda case: case["name"])
def test_a_mark_tells_how_a_text_is_encoded(case: dict[str, Any], size: int) -> None:
    expected = ["4095" if line == "2\u00b9\u00b2\u22121" else line for line in case["lines"]]
    assert [text for _, text in told(cut(base64.b64decode(case["base64"]), size)[1])] == expected


@given(st.lists(st.integers(0, 10**40), min_size=1, max_size=3_000), st.integers(1, 5_000))
def test_a_list_of_one_long_line_has_every_number_once(numbers: list[int], size: int) -> None:
    text = f"[{', '.join(map(str, numbers))}]".encode()
    assert [int(number) for _, number in told(cut(text, size)[1])] == numbers


def test_a_line_longer_than_is_kept_is_parted_where_a_number_ends() -> None:
    numbers = list(range(10**9, 10**9 + 3 * LINE_BYTES // 10))
    for between in (",", " ", ", "):
        source, cuts = cut(between.join(map(str, numbers)).encode(), 16_384)
        assert [int(number) for _, number in told(cuts)] == numbers
        assert source.lines == 1


@pytest.mark.parametrize("head", [b"2 3 5\n", b"1 2\n2 3\n3 ", b"ABC 2^$a+1\n", b"[7, "], ids=["list", "b-file", "ABC", "brackets"])
def test_a_number_longer_than_is_kept_ends_a_text_that_is_no_plain_list(head: bytes) -> None:
    with pytest.raises(Unreadable, match="lines of at most 65,536 bytes"):
        cut(head + b"0" * (LINE_BYTES + 2) + b"97", 16_384)


def test_a_chunk_is_bounded_in_lines_and_blank_ones_are_counted() -> None:
    source, cuts = cut(b"ABC 2*$a+1\n" + b"3\n" * 2_000 + b"\n" * 100_000 + b"5\n")
    assert all(sum(map(bool, chunk.lines)) <= CHUNK_LINES and len(chunk.lines) <= MOST_LINES for _, chunk, _ in cuts)
    assert (told(cuts)[-1], source.lines) == ((102_002, "11"), 102_002)


def test_expressions_that_are_many_times_the_text_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "MOST_TEXT", 10_000)
    with pytest.raises(TooMuch, match="at most 10,000 characters of expressions"):
        cut(b"ABC $a" + b"+0" * 80 + b"\n" + b"7\n" * 100)


def test_numbers_of_a_file_that_cannot_be_read_have_errors_of_their_own() -> None:
    _, cuts = cut(b"ABC 2^$a/4\n1\n9\n99999\n3")
    assert told(cuts) == [(2, "no_integer"), (3, "128"), (4, "too_large"), (5, "2")]
