"""What travels through Redis survives the way, and versions of it that differ understand each other."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.evidence import Factor, Witness
from services.jobs.messages import (
    SENTENCES,
    Answer,
    Asker,
    Divisor,
    Factors,
    Fault,
    Job,
    Operation,
    TracedJob,
    Verdict,
    asker_of,
    decode_answers,
    decode_asker,
    decode_jobs,
    decode_traced_jobs,
    encode,
    trace_of,
)

ids = st.integers(1, 2**63 - 1)
jobs = st.builds(Job, ids, st.integers().map(str), st.sampled_from(Operation))
words = st.text(st.sampled_from("aZ 7^-\x00\u00e9\u20ac\U0001d7d8"))
answers = st.builds(
    Answer, ids, st.sampled_from(Verdict), words, st.integers(0, 2**40), st.integers(0, 2**40), st.none() | st.sampled_from(Fault)
)
LATER = ["new", 7, None, {"a": [1]}]  # fields that a later version may add


@given(st.lists(jobs))
def test_jobs_arrive_as_they_were_sent(batch: list[Job]) -> None:
    assert decode_jobs(encode(batch)) == batch


@given(st.lists(answers))
def test_answers_arrive_as_they_were_sent(batch: list[Answer]) -> None:
    assert decode_answers(encode(batch)) == batch


def test_factors_arrive_as_they_were_found() -> None:
    found = [Divisor("2", 3, Verdict.PRIME), Divisor("91", 2, Verdict.COMPOSITE, Factor(7))]
    factors = Factors(found, Divisor("85", 1, Verdict.COMPOSITE, Witness(2)))
    answer = Answer(1, Verdict.COMPOSITE, factors=factors)
    assert decode_answers(encode([answer])) == [answer]


def test_a_number_of_a_million_digits_arrives_whole() -> None:
    assert decode_jobs(encode([Job(1, "9" * 1_000_000)])) == [Job(1, "9" * 1_000_000)]


def test_a_quick_job_takes_few_bytes() -> None:
    assert len(encode([Job(1_000_000, "1234567890123456789")])) <= 41


@given(jobs, answers)
def test_an_old_reader_leaves_out_the_fields_of_a_new_writer(job: Job, answer: Answer) -> None:
    newer_job = [*msgspec.structs.astuple(job), *LATER]
    newer_answer = [*msgspec.structs.astuple(answer), *LATER]
    assert decode_jobs(msgspec.msgpack.encode([newer_job])) == [job]
    assert decode_answers(msgspec.msgpack.encode([newer_answer])) == [answer]


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(st.lists(jobs))
def test_traced_and_other_jobs_are_read_by_those_that_trace_and_those_that_do_not(batch: list[Job]) -> None:
    mixed = [TracedJob(**msgspec.structs.asdict(job), trace=TRACE) if n % 2 else job for n, job in enumerate(batch)]
    assert decode_jobs(encode(mixed)) == batch, "what is behind the fields of a job is passed over"
    read = decode_traced_jobs(encode(mixed))
    assert [trace_of(job) for job in read] == [TRACE if n % 2 else "" for n in range(len(batch))]
    assert decode_jobs(encode(read)) == batch


def test_an_asker_carries_the_trace_of_its_job_and_is_read_without_one() -> None:
    job = TracedJob(1, "97", session="s", request="7", expires=3, trace=TRACE)
    assert decode_asker(encode(asker_of(job))) == Asker("s", "7", 3, TRACE)
    assert decode_asker(msgspec.msgpack.encode(["s", "7", 3])) == asker_of(Job(1, "97", session="s", request="7", expires=3))


@given(jobs, answers)
def test_a_new_reader_gives_defaults_to_the_fields_that_an_old_writer_lacks(job: Job, answer: Answer) -> None:
    older_job = [job.id, job.number]
    older_answer = [answer.id, answer.verdict]
    assert decode_jobs(msgspec.msgpack.encode([older_job])) == [Job(job.id, job.number)]
    assert decode_answers(msgspec.msgpack.encode([older_answer])) == [Answer(answer.id, answer.verdict)]


@pytest.mark.parametrize("message", [Job, Answer])
def test_only_the_first_two_fields_are_required(message: type[msgspec.Struct]) -> None:
    assert [field.name for field in msgspec.structs.fields(message) if not field.required] == list(message.__struct_fields__[2:])


def test_the_fields_of_the_first_version_keep_their_places() -> None:
    assert Job.__struct_fields__[:3] == ("id", "number", "operation")
    assert Answer.__struct_fields__[:6] == ("id", "verdict", "method", "queue_ms", "compute_us", "fault")


def pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "truncated"),
        (b"\xc1", "malformed"),
        (b"\x91", "truncated"),
        (pack([])[:-1], "truncated"),
        (pack([]) + b"\x00", "trailing characters"),
        (encode([Job(1, "97")])[:-1], "truncated"),
        (pack({}), "Expected `array`, got `object`"),
        (pack(None), "Expected `array`, got `None`"),
        (pack([[1]]), "Expected `array` of at least length 2, got 1"),
        (pack([["one", "97"]]), "Expected `int`, got `str`"),
        (pack([[1, 97]]), "Expected `str`, got `int`"),
        (pack([[1, "97", "totient"]]), "Invalid enum value 'totient'"),
    ],
)
def test_refuses_what_is_no_batch_of_jobs(payload: bytes, words: str) -> None:
    with pytest.raises(msgspec.DecodeError, match=words):
        decode_jobs(payload)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "truncated"),
        (encode([Answer(1, Verdict.PRIME)])[:-1], "truncated"),
        (pack([[1, "maybe"]]), "Invalid enum value 'maybe'"),
        (pack([[1, "prime", "", -0.5]]), "Expected `int`, got `float`"),
        (pack([[1, "unknown", "", 0, 0, "boredom"]]), "Invalid enum value 'boredom'"),
        (pack([]) + b"\x00", "trailing characters"),
    ],
)
def test_refuses_what_is_no_batch_of_answers(payload: bytes, words: str) -> None:
    with pytest.raises(msgspec.DecodeError, match=words):
        decode_answers(payload)


JOB_WITHOUT_TEXT = b"\x91\x92\x01\xa1\xff"  # its number is no UTF-8
ANSWER_WITHOUT_TEXT = b"\x91\x93\x01\xa5prime\xa1\xff"  # its method is no UTF-8


def test_refuses_a_batch_whose_text_is_no_text() -> None:
    with pytest.raises(msgspec.DecodeError, match="utf-8"):
        decode_jobs(JOB_WITHOUT_TEXT)
    with pytest.raises(msgspec.DecodeError, match="utf-8"):
        decode_answers(ANSWER_WITHOUT_TEXT)


def test_refuses_a_batch_with_bottomless_fields() -> None:
    bottomless = b"\x91" * 1_000_000 + b"\xc0"
    with pytest.raises(msgspec.DecodeError, match=r"(?i)recursion|stack overflow"):
        decode_jobs(b"\x91\x99\x01\xa297\xa8is_prime\xa0\xa0\x00\xc2\xa0" + bottomless)
    with pytest.raises(msgspec.DecodeError, match=r"(?i)recursion|stack overflow"):
        decode_answers(b"\x91\x9c\x01\xa5prime\xa0\x00\x00\xc0\xc0\xc0\xa0\xc0\xc0" + bottomless)


def read_or_refuse(payload: bytes) -> None:
    for decode in (decode_jobs, decode_answers):
        with suppress(msgspec.DecodeError):
            decode(payload)


@given(st.binary())
def test_reads_or_refuses_any_bytes(payload: bytes) -> None:
    read_or_refuse(payload)


@given(st.lists(jobs, min_size=1, max_size=3) | st.lists(answers, min_size=1, max_size=3), st.data())
def test_reads_or_refuses_a_batch_cut_anywhere(batch: list[Job] | list[Answer], data: st.DataObject) -> None:
    payload = encode(batch)
    read_or_refuse(payload[: data.draw(st.integers(0, len(payload) - 1))])


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_proven_unless_it_says_otherwise(verdict: Verdict) -> None:
    assert Answer(1, verdict).proven == (verdict in {"prime", "composite", "neither"})


def test_every_fault_has_its_sentence() -> None:
    assert SENTENCES.keys() == set(Fault)


@pytest.mark.parametrize("message", [Job(1, "97"), Answer(1, Verdict.PRIME)])
def test_a_message_cannot_be_changed(message: Job | Answer) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        message.id = 2  # type: ignore[misc]  # it is the refusal that is tested
