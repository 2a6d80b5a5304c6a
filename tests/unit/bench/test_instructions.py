"""What the ways are given whose instructions are counted."""

import msgspec
import pytest

from services.jobs import messages
from services.web.sockets import frames
from tests.bench import questions
from tests.bench.instructions import WAYS, Way, draw, totals
from tests.bench.paths import WEB


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_each_job_is_asked_computed_and_answered_once(way: Way) -> None:
    told = draw(way)
    for step in told.steps:
        read = [text for each in step.frames for text in texts(each)]
        (jobs,) = map(messages.decode_jobs, step.jobs)
        if way.protocol == "v1":
            deliveries = messages.decode_deliveries(step.answers)
            answers = [delivery.answer for delivery in deliveries]
            assert [msgspec.json.decode(text)["id"] for text in read] == [int(delivery.request) for delivery in deliveries]
            assert {(d.reply_to, d.session in told.sessions) for d in deliveries} == {(WEB, True)}
        else:
            answers = messages.decode_answers(step.answers)
            assert [text.decode() for text in read] == [job.number for job in jobs]
        assert len(read) == way.jobs
        assert [answer.id for answer in answers] == [job.id for job in jobs]
        assert all((a.verdict == "prime") is questions.is_prime(int(j.number)) for a, j in zip(answers, jobs, strict=True))


def texts(read: bytes) -> list[bytes]:
    """The payloads of these frames."""
    found, at = [], 0
    while at < len(read):
        payload, at = frames.read_text(read, at, 1_000)
        assert payload is not None
        found.append(payload)
    return found


def test_what_was_counted_is_read_by_the_way_that_it_is_of() -> None:
    dump = "version: 1\ndesc: Trigger: Client Request: {}\n\nevents: Ir\nfn=(1)\n1 5\ntotals: {}\n"
    rest = "version: 1\ndesc: Trigger: Program termination\n\ntotals: 9\n"
    assert totals([dump.format("a", 12), rest, dump.format("b", 7)]) == {"a": 12, "b": 7}
