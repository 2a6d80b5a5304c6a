"""store.lua: the outcome of a chunk is kept once, and its entry ends."""

from typing import Any

import pytest

from services.broker.finish import DeadLetter
from services.jobs import chunks, names
from services.jobs.chunks import Chunk, Outcome
from services.jobs.messages import Job, encode
from services.jobs.names import GROUP, Lane
from services.worker.claims.claim import ChunkClaim
from services.worker.claims.outcomes import STORE, store_call
from tests.scripts.conftest import Node, heard, run

STREAM, UPLOAD = names.stream(Lane.QUICK), names.upload("an-id")
KEY = names.upload_key("digest")
CHUNK = Chunk(3, 1_501, "97\n91")
OUTCOME = Outcome.of_answers(CHUNK, [])
TTL = 3_600  # s


def claim(node: Node) -> ChunkClaim:
    """A chunk that a worker holds."""
    id = node.admin.xadd(STREAM, {"reply": "web"})
    node.admin.xgroup_create(STREAM, GROUP, id="0")
    node.admin.xreadgroup(GROUP, "mine", {STREAM: ">"})
    return ChunkClaim(Lane.QUICK, id, "web", 1, 0, "an-id", CHUNK)


def store(node: Node, claim: ChunkClaim, *dead: DeadLetter) -> Any:
    keys, arguments = store_call(claim, OUTCOME, dead)
    return run(node.worker, STORE, keys, *arguments)


def begin(node: Node, state: str, left: int = TTL, **fields: str | int) -> None:
    """An upload of this state, with so many seconds to live."""
    node.admin.hset(UPLOAD, mapping={"state": state, "ttl": TTL, "stored": 3, "bytes": 1_000, **fields})
    node.admin.expire(UPLOAD, left)


def ended(node: Node) -> bool:
    """Whether the entry is acknowledged and deleted."""
    return bool(node.admin.xlen(STREAM) == 0 and node.admin.xpending(STREAM, GROUP)["pending"] == 0)


def test_an_outcome_is_kept_and_told(node: Node) -> None:
    begin(node, "reading")
    listener = node.listen(names.notices("web"))
    assert store(node, claim(node)) == 1
    packed = chunks.pack(OUTCOME)
    kept = node.admin.hgetall(UPLOAD)
    assert (kept[b"3"], kept[b"stored"], int(kept[b"bytes"])) == (packed, b"4", 1_000 + len(packed) + 64)
    assert heard(listener) == [(names.notices("web"), b"an-id 3")]
    assert ended(node)


def test_a_dead_letter_whose_reply_was_lost_is_not_written_again(node: Node) -> None:
    begin(node, "reading")
    held = claim(node)
    for _ in range(2):
        store(node, held, DeadLetter(Job(5, "97"), "killed", "worker0"))
    assert node.admin.xlen(names.DEAD) == 1


def test_the_first_outcome_of_a_chunk_stays(node: Node) -> None:
    begin(node, "reading", **{"3": "the first"})
    listener = node.listen(names.notices("web"))
    assert store(node, claim(node)) == 0
    kept = node.admin.hgetall(UPLOAD)
    assert (kept[b"3"], kept[b"stored"], kept[b"bytes"]) == (b"the first", b"3", b"1000")
    assert heard(listener) == []
    assert ended(node)


def test_nothing_is_kept_of_an_upload_that_is_gone(node: Node) -> None:
    listener = node.listen(names.notices("web"))
    assert store(node, claim(node)) == 0
    assert not node.admin.exists(UPLOAD)
    assert heard(listener) == []
    assert ended(node)


def test_an_upload_that_was_read_lives_on_with_its_key(node: Node) -> None:
    begin(node, "read", left=TTL // 2, key=KEY)
    node.admin.hset(KEY, "id", "an-id")
    node.admin.expire(KEY, TTL // 2)
    assert store(node, claim(node)) == 1
    assert min(node.admin.ttl(UPLOAD), node.admin.ttl(KEY)) > TTL * 2 / 3


def test_an_upload_that_was_read_lives_on_without_a_key(node: Node) -> None:
    begin(node, "read", left=TTL // 2)
    assert store(node, claim(node)) == 1
    assert node.admin.ttl(UPLOAD) > TTL * 2 / 3


@pytest.mark.parametrize(("state", "left"), [("reading", TTL // 2), ("interrupted", TTL // 2), ("read", TTL * 3 // 4)])
def test_the_time_to_live_is_not_renewed_while_it_is_read_or_just_was_renewed(node: Node, state: str, left: int) -> None:
    begin(node, state, left)
    assert store(node, claim(node)) == 1
    assert left - 5 < node.admin.ttl(UPLOAD) <= left


def test_jobs_are_set_aside_in_the_same_step_even_if_the_upload_is_gone(node: Node) -> None:
    assert store(node, claim(node), DeadLetter(Job(0, "97"), "a reason", "worker-1")) == 0
    ((_, letter),) = node.admin.xrange(names.DEAD)
    jobs = encode([Job(0, "97")])
    assert letter == {b"lane": b"quick", b"jobs": jobs, b"reason": b"a reason", b"worker": b"worker-1"}
    assert ended(node)
