"""The reader of files follows the table that the page's twin follows too."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lists.item import Item, Unreadable
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
