"""A list of answers: what is told of an upload as it stands, and when the list is over."""

import json
from typing import Any

from services.jobs.chunks import Chunk, Outcome, pack
from services.jobs.messages import Answer, Verdict
from services.web.upload.ndjson import AnswerList
from services.web.upload.store import Interrupted, Progress, Reading, Sealed


def outcome(first: int, *numbers: int) -> bytes:
    """That of a chunk of primes."""
    chunk = Chunk(0, first, "\n".join(map(str, numbers)))
    answers = [Answer(index, Verdict.PRIME, "table", 0, 0) for index, _ in enumerate(numbers)]
    return pack(Outcome.of_answers(chunk, answers))


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


def test_a_list_of_an_upload_that_is_gone_ends_with_an_error() -> None:
    listing = AnswerList(0, 0)
    (last,) = told(listing, None)
    assert (last["error"]["code"], last["error"]["retryable"]) == ("lost", True)
    assert listing.ended
