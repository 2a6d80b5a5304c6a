"""A list of answers: what is told of an upload as it stands, and when the list is over."""

import json
import zlib
from typing import Any

import pytest

from lists.item import Item
from services.jobs.chunks import Chunk, Outcome, pack
from services.jobs.messages import Answer, Verdict
from services.web.upload import origins
from services.web.upload.listing import AnswerList
from services.web.upload.origins import Origins
from services.web.upload.store import Interrupted, Progress, Reading, Sealed


def outcome(first: int, *numbers: int) -> tuple[bytes, bytes]:
    """That of a chunk of primes of a plain list."""
    chunk = Chunk(0, first, "\n".join(map(str, numbers)))
    answers = [Answer(index, Verdict.PRIME, "table", 0, 0) for index, _ in enumerate(numbers)]
    return pack(Outcome.of_answers(chunk, answers)), b""


def told(listing: AnswerList, progress: Progress | None) -> list[dict[str, Any]]:
    return [json.loads(line) for block in listing.blocks(progress) for line in block.splitlines()]


def test_a_list_goes_on_where_it_stopped() -> None:
    listing = AnswerList(0, 0)
    assert [line["line"] for line in told(listing, Reading(2, [outcome(1, 2, 3)]))] == [1, 2]
    assert told(listing, Reading(2, [])) == []
    assert [line["line"] for line in told(listing, Reading(2, [outcome(3, 5)]))] == [3]
    assert (listing.number, listing.ended) == (2, False)


def test_a_list_begins_behind_the_last_line_that_the_client_has() -> None:
    listing = AnswerList(3, 0)
    assert [line["line"] for line in told(listing, Reading(2, [outcome(1, 2, 3), outcome(3, 5, 7)]))] == [4]


def test_a_list_ends_when_all_chunks_of_a_sealed_upload_were_told() -> None:
    listing = AnswerList(0, 0)
    told(listing, Sealed(2, [outcome(1, 2)], 2, 2))
    assert not listing.ended
    *_, last = told(listing, Sealed(2, [outcome(2, 3)], 2, 2))
    assert last == {"done": True, "lines": 2, "answers": 2}
    assert listing.ended


def test_a_list_of_an_interrupted_upload_tells_what_is_there_first() -> None:
    listing = AnswerList(0, 0)
    first, last = told(listing, Interrupted(1, [outcome(1, 2)]))
    assert first["line"] == 1
    assert (last["error"]["code"], last["error"]["retryable"]) == ("interrupted", True)
    assert listing.ended


def test_a_list_of_an_interrupted_upload_ends_where_more_was_told_than_redis_knows_to_be_queued() -> None:
    """As when it came back older than a chunk whose outcome came later."""
    listing = AnswerList(0, 0)
    first, last = told(listing, Interrupted(0, [outcome(1, 2)]))
    assert (first["line"], last["error"]["code"], listing.ended) == (1, "interrupted", True)


def test_a_list_of_an_upload_that_is_gone_ends_with_an_error() -> None:
    listing = AnswerList(0, 0)
    (last,) = told(listing, None)
    assert (last["error"]["code"], last["error"]["retryable"]) == ("lost", True)
    assert listing.ended


def test_an_answer_has_the_text_and_the_index_of_its_line() -> None:
    packed, _ = outcome(4, 2, 3)
    kept = origins.pack(Origins(False, [origins.of(Item(4, "2", place="1")), origins.of(Item(5, "3", place="2"))]))
    first, second = told(AnswerList(0, 0), Reading(1, [(packed, kept)]))
    assert (first["line"], first["text"], first["index"], first["verdict"]) == (4, "2", "1", "prime")
    assert (second["line"], second["index"], "item" in second) == (5, "2", False)


def test_numbers_that_share_a_line_are_counted_and_a_list_goes_on_behind_the_last_one() -> None:
    packed, _ = outcome(1, 2, 3, 5)
    each = [origins.of(Item(1, text, variables=(("a", text),))) for text in ("2", "3", "5")]
    kept = origins.pack(Origins(True, list(each)))
    (last,) = told(AnswerList(2, 0), Reading(1, [(packed, kept)]))
    assert (last["line"], last["item"], last["text"], last["variables"]) == (1, 3, "5", {"a": "5"})


def test_a_list_says_what_the_text_was_taken_for() -> None:
    (last,) = told(AnswerList(0, 0), Sealed(0, [], 3, 2, "ABC file"))
    assert last == {"done": True, "lines": 3, "answers": 2, "form": "ABC file"}


@pytest.mark.parametrize("payload", [b"x", b"x\x9c", zlib.compress(b"\xc1")], ids=["no zlib", "cut", "no MessagePack"])
def test_origins_that_cannot_be_read_are_an_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match="expected the origins of a chunk"):
        origins.unpack(payload)
