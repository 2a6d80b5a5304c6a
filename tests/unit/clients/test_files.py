"""The command reads files as the table has it that uploads and the page follow too."""

import asyncio
import base64
import gzip
from pathlib import Path
from typing import Any

import pytest

from clients.primes.questions import Question, Unreadable, count, read
from tests.unit.clients.twins import table

CASES: list[dict[str, Any]] = [case for case in table("lists")["lists"] if "column" not in case]
FILES: list[dict[str, Any]] = table("lists")["files"]


def ask(path: Path) -> list[Question]:
    async def collect() -> list[Question]:
        return [question async for question in read((), str(path))]

    return asyncio.run(collect())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_form_is_asked_about_as_the_table_has_it(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(case["text"].encode())
    if "refused" in case:
        with pytest.raises(Unreadable, match=f"list: Expected .* got line {case['refused']}:"):
            ask(path)
        return
    questions = ask(path)
    assert [None if question.unreadable else question.number for question in questions] == [item[1] for item in case["items"]]
    assert count((), str(path)) == len(questions)


@pytest.mark.parametrize("case", FILES, ids=lambda case: case["name"])
def test_gzip_and_utf_16_are_told_by_their_first_bytes(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(base64.b64decode(case["base64"]))
    assert [question.number for question in ask(path)] == case["lines"]


def test_gzip_that_is_broken_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"\x1f\x8b nothing of the kind")
    with pytest.raises(Unreadable, match="expected gzip"):
        ask(path)


@pytest.mark.parametrize("left", [1, 100, 5_000])
def test_gzip_that_ends_too_early_is_told_of_and_not_taken_for_a_shorter_list(left: int, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(gzip.compress(b"\n".join(b"%d" % n for n in range(10**9, 10**9 + 50_000)))[:-left])
    with pytest.raises(Unreadable, match=r"list: expected gzip: it ended too early$"):
        ask(path)


def test_zeros_behind_a_member_of_gzip_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(gzip.compress(b"97\n") + bytes(512) + gzip.compress(b"91\n") + bytes(100_000))
    assert [question.number for question in ask(path)] == ["97", "91"]
