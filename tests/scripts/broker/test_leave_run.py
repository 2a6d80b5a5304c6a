"""leave_run.lua: one asker waits for a run no longer."""

from pathlib import Path

import pytest

from services.broker.script import LEAVE_RUN, TRY, TURNS, Script
from services.jobs import names
from services.jobs.names import GROUP, Lane
from tests.scripts.conftest import Node, run

STREAM = names.stream(Lane.HEAVY)
QUESTION = names.question("abc")


@pytest.fixture
def leave(tmp_path: Path) -> Script:
    """The function alone."""
    call = tmp_path / "call.lua"
    call.write_text("return leave(KEYS[1], ARGV[1], ARGV[2], KEYS[2], ARGV[3], ARGV[4]) and 'ended' or 'goes on'")
    return Script(TRY, TURNS, LEAVE_RUN, call)


def begin(node: Node, *askers: str, **fields: str) -> str:
    """A run that a worker has; returns its entry."""
    entry: str = node.admin.xadd(STREAM, {"jobs": "", **fields}).decode()
    node.admin.xgroup_create(STREAM, GROUP, "0")
    node.admin.xreadgroup(GROUP, "worker", {STREAM: ">"})
    for asker in askers:
        node.admin.hset(names.askers(Lane.HEAVY, entry), asker, "")
    return entry


def go(node: Node, leave: Script, entry: str, asker: str) -> bytes:
    keys = [STREAM, names.askers(Lane.HEAVY, entry)]
    reply: bytes = run(node.web, leave, keys, GROUP, names.question(""), entry, asker)
    return reply


def test_a_run_goes_on_for_the_others(node: Node, leave: Script) -> None:
    entry = begin(node, "web 1", "web 2", question="abc")
    node.admin.hset(QUESTION, "entry", f"heavy {entry}")
    assert go(node, leave, entry, "web 1") == b"goes on"
    assert node.admin.hkeys(names.askers(Lane.HEAVY, entry)) == [b"web 2"]
    assert node.admin.xlen(STREAM) == 1
    assert node.admin.hkeys(QUESTION) == [b"entry"]


def test_with_the_last_asker_the_run_and_what_leads_to_it_go(node: Node, leave: Script) -> None:
    entry = begin(node, "web 1", question="abc")
    node.admin.hset(QUESTION, mapping={"entry": f"heavy {entry}", "so_far": "", "answer": "kept"})
    assert go(node, leave, entry, "web 1") == b"ended"
    assert node.admin.xlen(STREAM) == 0
    assert node.admin.xpending(STREAM, GROUP)["pending"] == 0
    assert node.admin.hgetall(QUESTION) == {b"answer": b"kept"}  # of an earlier run


def test_who_does_not_wait_ends_no_run_of_others(node: Node, leave: Script) -> None:
    entry = begin(node, "web 1")
    assert go(node, leave, entry, "web 7") == b"goes on"
    assert node.admin.xlen(STREAM) == 1


def test_an_entry_without_a_question_and_askers_goes(node: Node, leave: Script) -> None:
    entry = begin(node)
    assert go(node, leave, entry, "web 1") == b"ended"
    assert node.admin.xlen(STREAM) == 0


def test_an_entry_that_is_gone_stays_gone(node: Node, leave: Script) -> None:
    entry = begin(node, question="abc")
    node.admin.xdel(STREAM, entry)
    assert go(node, leave, entry, "web 1") == b"ended"
    assert node.admin.xlen(STREAM) == 0
