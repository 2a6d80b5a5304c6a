"""close.lua: nobody joins a run that is over, and its answer is kept."""

from typing import Any

import pytest

from services.jobs import messages, names
from services.jobs.evidence import CertificateName
from services.jobs.messages import Answer, Asker, Job, Verdict
from services.jobs.names import Lane
from services.worker.claims.claim import RunClaim
from services.worker.lanes.runs import CLOSE, close_call
from tests.scripts.conftest import Node, run

JOB = Job(7, "10^99+289", expression=True)
DIGEST = messages.digest(JOB)
QUESTION = names.question(DIGEST)
RUN = RunClaim(Lane.HEAVY, b"5-0", "web", 1, 0, JOB)
ANSWER = Answer(7, Verdict.PROBABLY_PRIME, "BPSW")
STREAM = names.stream(Lane.HEAVY)
TTL = 600  # s


@pytest.fixture(autouse=True)
def _queued(node: Node) -> None:
    node.admin.xadd(STREAM, {"reply": "web", "jobs": b""}, id=RUN.id)


def close(node: Node, kept: Answer | None = None, deserted_by: int | None = None) -> Any:
    keys, arguments = close_call(RUN, kept, TTL, deserted_by)
    return run(node.worker, CLOSE, keys, *arguments)


def test_the_run_leaves_its_question_and_those_who_wait_are_told(node: Node) -> None:
    node.admin.hset(QUESTION, mapping={"entry": "heavy 5-0", "so_far": "something", "answer": "an earlier one"})
    who = messages.encode(Asker("a-token", "1"))
    node.admin.hset(RUN.askers, mapping={"web 7": who, "other 8": who})
    assert dict(zip(*[iter(close(node))] * 2, strict=True)) == {b"web 7": who, b"other 8": who}
    assert node.admin.hgetall(QUESTION) == {b"answer": b"an earlier one"}
    assert node.admin.hlen(RUN.askers) == 2  # they go with the entry


def test_another_run_of_the_same_question_goes_on(node: Node) -> None:
    other = {b"entry": b"heavy 6-0", b"so_far": b"something"}
    node.admin.hset(QUESTION, mapping=other)
    assert close(node) == []
    assert node.admin.hgetall(QUESTION) == other


def test_a_cheap_answer_is_not_kept(node: Node) -> None:
    assert close(node) == []
    assert node.admin.keys("*") == [STREAM.encode()]


@pytest.mark.parametrize(("evidence", "certificate"), [(None, b""), (CertificateName("a-digest"), b"a-digest")])
def test_an_answer_is_kept_for_a_time(node: Node, evidence: CertificateName | None, certificate: bytes) -> None:
    answer = Answer(7, Verdict.PRIME, "BPSW", evidence=evidence)
    before = node.admin.time()[0]
    assert close(node, answer) == []
    assert node.admin.hgetall(QUESTION) == {b"answer": messages.encode(answer), b"certificate": certificate}
    assert TTL - 5 < node.admin.ttl(QUESTION) <= TTL
    ((digest, kept_at),) = node.admin.zrange(names.KNOWN, 0, -1, withscores=True)
    assert digest == DIGEST.encode()
    assert before * 1000 <= kept_at <= (node.admin.time()[0] + 1) * 1000


def test_the_oldest_answers_go_when_there_are_too_many(node: Node) -> None:
    old = {f"old-{n}": n for n in range(names.KNOWN_LENGTH + 1)}
    node.admin.zadd(names.KNOWN, old)
    for digest in list(old)[:3]:
        node.admin.hset(names.question(digest), mapping={"answer": "x", "certificate": "", "entry": "heavy 1-0"})
    close(node, ANSWER)
    assert node.admin.zcard(names.KNOWN) == names.KNOWN_LENGTH
    assert node.admin.zscore(names.KNOWN, DIGEST) is not None
    fields = [node.admin.hkeys(names.question(f"old-{n}")) for n in range(3)]
    assert fields[:2] == [[b"entry"]] * 2  # a run of it may be under way
    assert b"answer" in fields[2]


@pytest.mark.parametrize("expires", [0, 2_001])
def test_a_deserted_run_goes_on_for_one_that_joined_and_waits_for_longer(node: Node, expires: int) -> None:
    node.admin.hset(QUESTION, "entry", "heavy 5-0")
    askers = {"web 7": messages.encode(Asker(expires=1_000)), "web 8": messages.encode(Asker(expires=expires))}
    node.admin.hset(RUN.askers, mapping=askers)
    assert close(node, deserted_by=2_000) is None
    assert node.admin.hgetall(QUESTION) == {b"entry": b"heavy 5-0"}


def test_a_deserted_run_for_which_nobody_waits_is_over(node: Node) -> None:
    node.admin.hset(QUESTION, "entry", "heavy 5-0")
    who = messages.encode(Asker(expires=2_000))
    node.admin.hset(RUN.askers, "web 7", who)
    assert close(node, deserted_by=2_000) == [b"web 7", who]
    assert not node.admin.exists(QUESTION)


@pytest.mark.parametrize("deserted_by", [None, 2_000])
def test_of_a_run_whose_entry_is_gone_the_answer_is_kept_and_nobody_is_told(node: Node, deserted_by: int | None) -> None:
    node.admin.xdel(STREAM, RUN.id)
    proof = {b"entry": b"proof 6-0", b"so_far": b"something"}  # another worker moved it
    node.admin.hset(QUESTION, mapping=proof)
    assert close(node, ANSWER, deserted_by) == b"gone"
    assert node.admin.hgetall(QUESTION) == proof | {b"answer": messages.encode(ANSWER), b"certificate": b""}


def test_a_run_is_gone_with_its_stream(node: Node) -> None:
    node.admin.delete(STREAM)
    assert close(node) == b"gone"
    assert node.admin.keys("*") == []
