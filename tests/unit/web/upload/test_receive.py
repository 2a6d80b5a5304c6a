"""What a Content-Type says is text in UTF-8, however it spells that, and names that nobody knows are not kept."""

import codecs
import encodings

import pytest

from services.web.upload.receive import _is_text

NAMES = ["utf-8", "UTF8", "utf_8", "U8", "utf-8-sig", "us-ascii", "ASCII", "646", "ANSI_X3.4-1968", "iso-ir-6", "cp65001"]


@pytest.mark.parametrize("name", NAMES)
def test_python_knows_these_names_of_utf_8_and_ascii_too(name: str) -> None:
    assert codecs.lookup(name).name in {"utf-8", "utf-8-sig", "ascii"}
    assert _is_text(f"text/plain; charset={name}") and _is_text(f'Text/Plain;Charset="{name}"; format=flowed')


@pytest.mark.parametrize("name", ["utf-16", "latin-1", "idna", "", "utf-8\xe9", "\xfctf-8", "no such one", "a" * 30_000])
def test_other_charsets_are_none_that_are_read(name: str) -> None:
    assert not _is_text(f"text/plain; charset={name}") and not _is_text(f"text/plain; charset=utf-8; charset={name}")


def test_a_name_that_nobody_knows_takes_no_memory_afterwards() -> None:
    kept = vars(encodings)["_cache"]
    before = len(kept)
    for number in range(100):
        assert not _is_text(f"text/plain; charset=unknown{number}")
    assert len(kept) == before
