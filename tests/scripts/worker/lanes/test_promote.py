"""promote.lua: a run and those who wait for it move to the lane of proofs."""

from typing import Any

import pytest

from services.jobs import messages, names
from services.jobs import turn as turns
from services.jobs.messages import Answer, Asker, Job, Promotion, Verdict, Wanted
from services.jobs.names import GROUP, Lane
from services.worker.claims.claim import RunClaim
from services.worker.lanes.runs import PROMOTE, promote_call
from tests.scripts.conftest import Node, heard, run

STREAM, PROOFS = names.stream(Lane.HEAVY), names.stream(Lane.PROOF)
JOB = Job(7, "10^99+289", session="a-token", request="1", expression=True, wanted=Wanted.PROOF)
DIGEST = messages.digest(JOB)
QUESTION = names.question(DIGEST)
SO_FAR = Answer(7, Verdict.PROBABLY_PRIME, "BPSW")
SESSION = names.session("a-token")


def claim(node: Node) -> RunClaim:
    """A run that a worker holds."""
    id = node.admin.xadd(STREAM, {"reply": "web", "turn": turns.write("192.0.2.1", "web/1", 400, 200_000)})
    node.admin.xgroup_create(STREAM, GROUP, id="0")
    node.admin.xreadgroup(GROUP, "mine", {STREAM: ">"})
    return RunClaim(Lane.HEAVY, id, "web", 1, 0, JOB)


def promote(node: Node, claim: RunClaim) -> Any:
    keys, arguments = promote_call(claim, SO_FAR, "mine")
    return run(node.worker, PROMOTE, keys, *arguments)


def test_the_entry_moves_and_the_question_names_its_new_place(node: Node) -> None:
    held = claim(node)
    node.admin.hset(QUESTION, "entry", f"heavy {held.id.decode()}")
    entry = promote(node, held)
    assert node.admin.xlen(STREAM) == 0
    assert node.admin.xpending(STREAM, GROUP)["pending"] == 0
    turn = turns.write("192.0.2.1", "web/1", 200_000).rpartition(" ")[0].encode()
    fields = {b"reply": b"web", b"jobs": messages.encode([JOB]), b"question": DIGEST.encode(), b"turn": turn}
    assert node.admin.xrange(PROOFS) == [(entry, fields)]
    assert node.admin.zrange(f"{PROOFS}:turns:192.0.2.1", 0, -1) == [entry]
    assert node.admin.hgetall(QUESTION) == {b"entry": b"proof " + entry, b"so_far": messages.encode(SO_FAR)}
    assert names.QUESTION_TTL - 5 < node.admin.ttl(QUESTION) <= names.QUESTION_TTL


@pytest.mark.parametrize("count", [0, 1, 2, 300])  # an array's length has two bytes
def test_those_who_wait_move_and_all_web_processes_are_told(node: Node, count: int) -> None:
    held = claim(node)
    askers = {names.asker("web", n): Asker("", str(n)) for n in range(count)}
    for field, asker in askers.items():
        node.admin.hset(held.askers, field, messages.encode(asker))
    listener = node.listen(names.PROMOTIONS, names.bell(Lane.PROOF))
    entry = promote(node, held)
    (bell, (channel, payload)) = heard(listener)
    assert bell == (names.bell(Lane.PROOF), b"")
    promotion = messages.decode_promotion(payload)
    assert (channel, promotion.entry, promotion.answer) == (names.PROMOTIONS, entry.decode(), SO_FAR)
    assert dict(promotion.askers) == askers and isinstance(promotion, Promotion)
    moved = node.admin.hgetall(names.askers(Lane.PROOF, entry.decode()))
    assert moved == {field.encode(): messages.encode(asker) for field, asker in askers.items()}
    assert not node.admin.exists(held.askers)


def wait(node: Node, held: RunClaim, mark: str | None) -> None:
    """A session's request waits for the run; its mark says this."""
    node.admin.hset(held.askers, names.asker("web", 7), messages.encode(Asker("a-token", "1")))
    if mark is not None:
        node.admin.hset(SESSION, "?1", mark)


def test_a_sessions_mark_names_the_new_place_without_the_time_since_when_it_ran(node: Node) -> None:
    held = claim(node)
    wait(node, held, f"heavy {held.id.decode()} web 7 1700")
    entry = promote(node, held)
    assert node.admin.hget(SESSION, "?1") == b"proof " + entry + b" web 7"


def test_the_number_of_an_answer_stays(node: Node) -> None:
    held = claim(node)
    wait(node, held, "12")
    promote(node, held)
    assert node.admin.hget(SESSION, "?1") == b"12"


def test_no_mark_is_made(node: Node) -> None:
    held = claim(node)
    wait(node, held, None)
    promote(node, held)
    assert not node.admin.exists(SESSION)


@pytest.mark.parametrize("other", ["another worker has it", "it was cancelled"])
def test_nothing_happens_to_a_run_that_is_not_this_workers(node: Node, other: str) -> None:
    held = claim(node)
    wait(node, held, "heavy 1-0 web 7")
    if other == "it was cancelled":
        node.admin.xack(STREAM, GROUP, held.id)
    else:
        node.admin.xclaim(STREAM, GROUP, "theirs", 0, [held.id])
    listener = node.listen(names.PROMOTIONS, names.bell(Lane.PROOF))
    assert promote(node, held) == b""
    assert not node.admin.exists(PROOFS, QUESTION)
    assert node.admin.hlen(held.askers) == 1
    assert heard(listener) == []


def test_nothing_happens_while_the_lane_of_proofs_is_full(node: Node) -> None:
    held = claim(node)
    with node.admin.pipeline(transaction=False) as filling:
        for _ in range(names.PROOFS):
            filling.xadd(PROOFS, {"jobs": 1})
        filling.execute()
    listener = node.listen(names.PROMOTIONS, names.bell(Lane.PROOF))
    assert promote(node, held) == b"full"
    assert node.admin.xlen(PROOFS) == names.PROOFS
    assert node.admin.xpending(STREAM, GROUP)["pending"] == 1
    assert heard(listener) == []


def test_one_more_is_taken_before_the_lane_of_proofs_is_full(node: Node) -> None:
    held = claim(node)
    with node.admin.pipeline(transaction=False) as filling:
        for _ in range(names.PROOFS - 1):
            filling.xadd(PROOFS, {"jobs": 1})
        filling.execute()
    assert node.admin.xrange(PROOFS, promote(node, held))


def test_a_run_that_redis_lost_with_its_group_is_over(node: Node) -> None:
    held = claim(node)
    node.admin.flushall()
    assert promote(node, held) == b""
    assert node.admin.keys("*") == []
