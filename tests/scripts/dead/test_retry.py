"""retry.lua: a dead letter's jobs go back into a lane."""

import pytest
import redis

from services.dead.shelf import RETRY
from services.jobs import names
from services.jobs.names import Lane
from tests.scripts.conftest import Node, heard, run

STREAM, BELL = names.stream(Lane.HEAVY), names.bell(Lane.HEAVY)
JOBS = b"\x90"


def retry(node: Node, letter: bytes) -> int:
    reply: int = run(node.operators, RETRY, [names.DEAD, STREAM], letter, BELL, "operators-1", JOBS)
    return reply


def test_the_jobs_are_in_the_lane_and_the_letter_is_gone(node: Node) -> None:
    letter, other = (node.admin.xadd(names.DEAD, {"jobs": number}) for number in range(2))
    listener = node.listen(BELL)
    assert retry(node, letter) == 1
    assert [fields for _, fields in node.admin.xrange(STREAM)] == [{b"reply": b"operators-1", b"jobs": JOBS}]
    assert [id for id, _ in node.admin.xrange(names.DEAD)] == [other]
    assert heard(listener) == [(BELL, b"")]


def test_a_letter_is_retried_once(node: Node) -> None:
    letter = node.admin.xadd(names.DEAD, {"jobs": 0})
    retry(node, letter)
    listener = node.listen(BELL)
    assert retry(node, letter) == 0
    assert node.admin.xlen(STREAM) == 1
    assert heard(listener) == []


def test_a_letter_stays_where_its_jobs_are_refused(node: Node) -> None:
    letter = node.admin.xadd(names.DEAD, {"jobs": 0})
    node.admin.set(STREAM, "no stream")  # stands for whatever keeps Redis from writing the entry
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        retry(node, letter)
    assert [id for id, _ in node.admin.xrange(names.DEAD)] == [letter]
