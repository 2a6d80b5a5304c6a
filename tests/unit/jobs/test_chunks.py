"""What became of a chunk's lines is kept in few bytes and comes out as it went in."""

import asyncio
import json
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs import chunks
from services.jobs.chunks import BLANK, REFUSED, Chunk, Outcome, Refusal, Result
from services.jobs.messages import SENTENCES, Answer, Fault, Verdict
from services.web.upload.ndjson import Ndjson
from services.worker.compute.chunks import examine_all
from tests.unit.oracle import is_prime

PRIME = Result(Verdict.PRIME, "method")
POISON = Result(Verdict.UNKNOWN, "", Fault.POISON)


def told(outcome: Outcome, after: int = 0) -> list[dict[str, object]]:
    return [json.loads(line) for line in Ndjson().render(outcome, after, None).splitlines()]


@given(
    st.integers(1, 2**32 - 1),
    st.lists(st.sampled_from([0, 1, BLANK, REFUSED]), min_size=1, max_size=600),
    st.lists(st.builds(Refusal, st.integers(0, 600), st.text(max_size=5), st.text(max_size=50)), max_size=5),
)
def test_an_outcome_comes_out_as_it_went_in(first: int, codes: list[int], refused: list[Refusal]) -> None:
    packed = chunks.pack(Outcome(first, array("H", codes), [PRIME, POISON], refused))
    outcome = chunks.unpack(packed)
    assert (outcome.first, list(outcome.codes)) == (first, codes)
    assert (outcome.results, outcome.refused) == ([PRIME, POISON], refused)
    assert int.from_bytes(packed[:4], "big") == first  # where Redis' scripts read it


def test_500_small_numbers_take_less_than_a_byte_each() -> None:
    outcome = asyncio.run(examine_all(Chunk(0, 1, "\n".join(map(str, range(10**18, 10**18 + 500))))))
    assert len(chunks.pack(outcome)) < 500


@pytest.mark.parametrize("payload", [b"", b"1", b"1234", b"1234more", chunks.pack(Outcome(1, array("H"), [], []))[:-3]])
def test_what_is_no_outcome_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="expected the outcome of a chunk"):
        chunks.unpack(payload)


@given(st.lists(st.one_of(st.just(""), st.integers(-5, 10**24).map(str)), min_size=1, max_size=50))
def test_every_number_of_a_chunk_is_examined(lines: list[str]) -> None:
    outcome = asyncio.run(examine_all(Chunk(0, 1, "\n".join(lines))))
    verdicts = {line["line"]: line["verdict"] for line in told(outcome)}
    for number, line in enumerate(lines, 1):
        expected = None if not line else "neither" if int(line) < 2 else "prime" if is_prime(int(line)) else "composite"
        assert verdicts.get(number) == expected


def test_a_composite_of_a_chunk_comes_out_with_its_evidence() -> None:
    outcome = chunks.unpack(chunks.pack(asyncio.run(examine_all(Chunk(0, 1, f"97\n91\n{(2**31 - 1) ** 2}")))))
    assert [line.get("evidence") for line in told(outcome)] == [None, {"factor": "7"}, {"witness": "2"}]


def test_a_chunk_travels_as_it_is() -> None:
    chunk = Chunk(3, 17, "2\n\n5", [Refusal(1, "not_an_integer", "Expected …")])
    assert chunks.decode(chunks.encode(chunk)) == chunk
    assert [(job.id, job.number) for job in chunk.jobs()] == [(0, "2"), (2, "5")]


def test_answers_of_a_child_process_make_the_same_outcome() -> None:
    chunk = Chunk(0, 10, "2\n\nx\n5", [Refusal(2, "not_an_integer", "Expected …")])
    answers = [Answer(0, Verdict.PRIME, "a"), Answer(3, Verdict.UNKNOWN, fault=Fault.DEADLINE)]
    outcome = Outcome.of_answers(Chunk(0, 10, "2\n\n\n5", chunk.refused), answers)
    assert told(outcome) == [
        {"line": 10, "verdict": "prime", "proven": True, "method": "a"},
        {"line": 12, "error": {"code": "not_an_integer", "message": "Expected …", "retryable": False}},
        {"line": 13, "error": {"code": "deadline", "message": SENTENCES[Fault.DEADLINE], "retryable": False}},
    ]
    assert dict(outcome.tally()) == {Result(Verdict.PRIME, "a"): 1, Result(Verdict.UNKNOWN, "", Fault.DEADLINE): 1}


@pytest.mark.parametrize(("after", "lines"), [(0, [5, 6, 7]), (4, [5, 6, 7]), (5, [6, 7]), (7, []), (99, [])])
def test_lines_that_the_client_has_are_left_out(after: int, lines: list[int]) -> None:
    outcome = Outcome(5, array("H", [0, 0, 0]), [PRIME], [])
    assert [line["line"] for line in told(outcome, after)] == lines
