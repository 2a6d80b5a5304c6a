"""What the beginning of a file is taken for: the same as all of it, and no more of it is read than is bounded."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from services.web.shares import Shares
from services.web.upload.intake import Rejection
from services.web.upload.preview import MOST_BYTES, MOST_NUMBERS, MOST_SHOWN, MOST_TEXT, Preview
from tests.unit.clients.twins import table

CASES: list[dict[str, Any]] = [case for case in table("lists")["lists"] if len(case["text"]) < MOST_BYTES]


def look(body: bytes, column: str = "", *, whole: bool = True, compressed: bool = False, size: int = 4_096) -> Preview:
    """After a body that came in pieces of this size."""

    async def go() -> Preview:
        preview = Preview(Shares(1.0).get("192.0.2.3"), column, whole=whole)
        await preview.begin("", compressed=compressed)
        for at in range(0, len(body), size):
            await preview.take(body[at : at + size])
        assert await preview.end() == ""
        return preview

    return asyncio.run(go())


def told(body: bytes, **options: Any) -> dict[str, Any]:
    preview = look(body, **options)
    assert preview.rejection is None
    json.dumps(preview.told)
    return preview.told


def refusal(body: bytes, **options: Any) -> Rejection:
    rejection = look(body, **options).rejection
    assert rejection is not None
    return rejection


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_whole_file_is_taken_for_what_the_table_says(case: dict[str, Any]) -> None:
    body, column = case["text"].encode(), case.get("column", "")
    if "refused" in case:
        rejection = refusal(body, column=column)
        assert (rejection.status, rejection.code) == (400, "bad_request") and f"line {case['refused']}:" in rejection.message
        return
    found = told(body, column=column)
    plain = case["form"] in ("", "list, one number a line")
    assert found.get("form", "") == ("" if plain else case["form"])
    assert found["numbers"] == min(len(case["items"]), MOST_NUMBERS)
    assert [one["line"] for one in found["first"]] == [item[0] for item in case["items"][:5]]
    assert [one.get("text") for one in found["first"]] == [item[1] or None for item in case["items"][:5]]


def test_a_part_ends_with_its_last_whole_line_or_number() -> None:
    assert told(b"2\n3\n5", whole=False) == {
        "numbers": 2,
        "complete": False,
        "first": [{"line": 1, "text": "2"}, {"line": 2, "text": "3"}],
    }
    assert [one["text"] for one in told(b"[2, 3, 51", whole=False)["first"]] == ["2", "3"]
    assert told(b"127", whole=False)["numbers"] == 1
    assert told("[2,\n3,\n5".encode("utf-16"), whole=False)["numbers"] == 2


def test_what_a_few_bytes_stand_for_is_not_counted_to_its_end() -> None:
    found = told(b"ABC2 $a*2^$b-1\na: from 1 to 1000\nb: from 1 to 1000\n")
    assert (found["form"], found["numbers"], found["complete"]) == ("ABC2 file", MOST_NUMBERS, False)
    assert told(b"7\n" * MOST_NUMBERS)["complete"] and not told(b"7\n" * (MOST_NUMBERS + 1))["complete"]


def test_a_long_number_is_cut() -> None:
    (one,) = told(b"1" * (MOST_SHOWN + 1))["first"]
    assert one["text"] == "1" * MOST_SHOWN + "…"


def test_a_compressed_file_is_opened_as_far_as_it_came() -> None:
    whole = gzip.compress(b"".join(b"%d\n" % n for n in range(10_000)))
    assert told(gzip.compress(b"2\n3"))["numbers"] == 2
    assert told(whole[: len(whole) // 2], whole=False)["numbers"] > 1_000
    assert told(whole[: len(whole) // 2], whole=False, compressed=True)["numbers"] > 1_000
    assert refusal(whole[: len(whole) // 2]).message == "Expected gzip: it ended too early"
    bomb = told(gzip.compress(b"7" * 100 + b" " * (50 << 20)))
    assert len(bomb["first"][0]["text"]) == 100 and not bomb["complete"]
    assert MOST_TEXT < 1 << 20


def test_more_than_is_looked_at_is_refused_and_not_held() -> None:
    assert told(b"7" + b"\n" * (MOST_BYTES - 1))["numbers"] == 1
    preview = look(b"7\n" * MOST_BYTES, size=1_000)
    assert preview.rejection is not None and preview.rejection.status == 413
    assert "at most 65,536 bytes" in preview.rejection.message
    assert preview.overrun and len(preview._body) < MOST_BYTES + 1_001
