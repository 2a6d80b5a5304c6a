"""The reader of files follows the table that the page's twin follows too."""

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lists.item import LONGEST, Item, Unreadable
from lists.reader import Reader
from tests.unit.clients.twins import table

CASES: list[dict[str, Any]] = table("lists")["lists"]


def read(text: str, column: str = "") -> Any:
    """What the table has: form and items, or the line that shows that it is none."""
    reader = Reader(column)
    items: list[Item] = []
    try:
        for number, line in enumerate(text.split("\n"), 1):
            items += reader.take(number, line.removesuffix("\r"))
        items += reader.end()
    except Unreadable as error:
        return int(str(error).rpartition("line ")[2].partition(":")[0])
    told = []
    for item in items:
        if item.text or item.error:
            more = ([item.place] if item.place else []) + ([dict(item.variables)] if item.variables else [])
            told.append([item.line, None if item.error else item.text, *more])
    return (reader.form.name if reader.form else ""), told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_form_is_read_as_the_table_has_it(case: dict[str, Any]) -> None:
    expected = case["refused"] if "refused" in case else (case["form"], case["items"])
    assert read(case["text"], case.get("column", "")) == expected


@given(st.text("0123456789+-*/^!#()[]{},;:$abc=%\\\"' \t\n", max_size=80))
def test_any_text_is_read_or_refused_and_each_number_stands_in_it(text: str) -> None:
    match read(text):
        case (str(form), list(items)):
            assert form or not items
            assert all(1 <= line <= text.count("\n") + 1 for line, *_ in items)
        case line:
            assert isinstance(line, int)


@given(st.lists(st.integers(-(10**30), 10**30), min_size=3), st.sampled_from([" ", ", ", ",", ";", "\t"]))
def test_a_list_has_its_numbers_in_order(numbers: list[int], between: str) -> None:
    _, items = read(between.join(map(str, numbers)))
    assert [int(text) for _, text in items] == numbers
    _, items = read(f"[{', '.join(map(str, numbers))}]")
    assert [int(text) for _, text in items] == numbers


LINE = 65_536  # characters of the longest line that the server reads in one go
VARIABLES = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    "text",
    [
        f"1{' ' * LINE}1",
        f"1{' ' * LINE}is prime or not",
        f"97\n7{' ' * LINE}# no more",
        f"97\n7{chr(0x3000) * LINE}7",
        f"{'+'.join(['0x11'] * 60)}.",
        f"97\n{'+'.join(['0x11'] * 60)}. #",
        f"0x{'1' * LINE}.",
        f"{'a' * LINE}.",
        f"[{'(' * LINE}",
        f"[{'()' * (LINE // 2)}",
        f"[7{' ' * LINE}7]",
        f"number{',' * LINE}\n" + f"{',' * LINE}\n" * 40,
        f"ABC2 {'+'.join(f'${name}' for name in VARIABLES)}\n"
        + "\n".join(f"{name}: primes from 2 to 1000000" for name in VARIABLES),
    ],
    ids=[
        "blanks",
        "log",
        "comment",
        "wide",
        "hexadecimal",
        "candidate",
        "digits",
        "word",
        "open",
        "pairs",
        "element",
        "columns",
        "primes",
    ],
)
def test_a_long_line_is_read_in_a_time_that_grows_with_its_length(text: str) -> None:
    began = time.process_time()
    read(text)
    # A bound that no machine needs: some hundredths are usual, squares of the length take ten seconds, and powers for ever.
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize(
    "text",
    [f"ABC {'+'.join(['$a'] * 20_000)}\n{'1' * 20_000}", f"ABC2 {'+'.join(['$a'] * 20_000)}\na: in {{ {'1' * 15} }}"],
    ids=["row", "values"],
)
def test_a_template_makes_no_text_of_a_hundred_megabytes(text: str) -> None:
    tracemalloc.start()
    try:
        read(text)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_million_combinations_are_not_held() -> None:
    reader = Reader()
    assert not [*reader.take(1, "ABC2 $a*2^$b"), *reader.take(2, "a: from 1 to 1000000"), *reader.take(3, "b: in { 5 }")]
    tracemalloc.start()
    try:
        items = reader.end()
        assert [next(items).text, next(items).text] == ["1*2^5", "2*2^5"]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("element", [f"{'0' * LONGEST}7", f"1{' ' * LONGEST}3"], ids=["zeros", "blanks"])
def test_an_element_that_is_too_long_is_not_taken_for_its_beginning(element: str) -> None:
    assert read(f"[5, {element}, 11]") == ("list in brackets", [[1, "5"], [1, None], [1, "11"]])


def test_values_of_differences_may_be_long_and_none_is_too_long_to_be_written() -> None:
    first, then = "9" * 4_000, f"1{'0' * 4_000}"
    assert read(f"ABCD $a+1 [{first}]\n1") == ("ABCD file", [[1, f"{first}+1", {"a": first}], [2, f"{then}+1", {"a": then}]])
    with pytest.raises(
        Unreadable, match=r"^Expected integers of at most 4,000 digits together between \[ and \] after ABC, got line 1: "
    ):
        list(Reader().take(1, f"ABCD $a+1 [{first}9]"))
    with pytest.raises(Unreadable, match="together"):
        list(Reader().take(1, f"ABCD $a+$b [{first},9]"))
