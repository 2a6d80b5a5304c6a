"""What the glossary names is there, and what it explains is used."""

import re
from functools import cache

import pytest

from tests.unit.docs.documents import DOCUMENTS, ROOT, Row, quoted, read, rows

TERMS = rows("docs/glossary.md")


@cache
def code(path: str) -> str:
    """The text of a file, or of all Python and Lua below a folder."""
    place = ROOT / path
    files = sorted([*place.rglob("*.py"), *place.rglob("*.lua")]) if place.is_dir() else [place]
    return "\n".join(file.read_text() for file in files)


def test_the_glossary_is_in_the_order_of_the_alphabet_and_has_each_term_once() -> None:
    terms = [term for term, *_ in TERMS]
    assert len(terms) >= 25
    assert terms == sorted(set(terms))


@pytest.mark.parametrize("row", TERMS, ids=[row[0] for row in TERMS])
def test_what_the_glossary_names_is_there(row: Row) -> None:
    _, meaning, where, in_redis = row
    path, *defined = quoted(where)
    for name in defined:
        assert re.search(rf"^\s*(?:async def|def|class) {name}\b|^\s*(?:self\.)?{name}\b.* = ", code(path), re.MULTILINE), (
            f"{name} in {path}"
        )
    known = {name for line in rows("docs/redis.md") for name in quoted(line[0])}
    assert set(quoted(in_redis)) <= known
    assert re.fullmatch(r"[A-Z].*\.", meaning) and ". " not in meaning, "one sentence"


@pytest.mark.parametrize("term", [row[0] for row in TERMS])
def test_every_term_of_the_glossary_is_used_in_the_code_and_in_another_document(term: str) -> None:
    words = re.compile(rf"\b{term.replace(' ', '[ -_]')}", re.IGNORECASE)
    pages = "\n".join(document.read_text() for document in DOCUMENTS if document.name != "glossary.md")
    assert words.search(code("services")) and words.search(pages)


def test_every_term_is_found_from_the_page_that_says_how_it_works() -> None:
    assert "(glossary.md)" in read("docs/architecture.md")
