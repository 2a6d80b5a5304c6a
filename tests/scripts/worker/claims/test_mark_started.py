"""mark_started.lua: sessions' marks say since when their jobs run."""

from typing import Any

from services.jobs import names
from services.worker.claims.renewal import MARK_STARTED, Started, mark_started_call
from tests.scripts.conftest import Node, run

SESSION = names.session("a-token")
MARK = "heavy 1-0 web 7"


def mark_started(node: Node, *marks: Started) -> Any:
    keys, arguments = mark_started_call(marks)
    return run(node.worker, MARK_STARTED, keys, *arguments)


def test_a_mark_says_since_when_its_job_runs(node: Node) -> None:
    node.admin.hset(SESSION, '?"first"', MARK)
    assert mark_started(node, Started("a-token", '"first"', 1_700)) == 1
    assert node.admin.hget(SESSION, '?"first"') == f"{MARK} 1700".encode()


def test_the_time_of_a_worker_that_had_it_before_goes(node: Node) -> None:
    node.admin.hset(SESSION, "?1", f"{MARK} 1500")
    assert mark_started(node, Started("a-token", "1", 1_700)) == 1
    assert node.admin.hget(SESSION, "?1") == f"{MARK} 1700".encode()


def test_the_number_of_an_answer_stays(node: Node) -> None:
    node.admin.hset(SESSION, "?1", 12)
    assert mark_started(node, Started("a-token", "1", 1_700)) == 0
    assert node.admin.hgetall(SESSION) == {b"?1": b"12"}


def test_no_mark_and_no_session_is_made(node: Node) -> None:
    assert mark_started(node, Started("a-token", "1", 1_700)) == 0
    assert node.admin.keys("*") == []


def test_marks_of_several_sessions_are_noted_at_once(node: Node) -> None:
    node.admin.hset(SESSION, mapping={"?1": MARK, "?2": MARK})
    node.admin.hset(names.session("another"), "?1", "proof 2-0 web 8")
    marks = Started("a-token", "2", 1_700), Started("a-token", "3", 1_800), Started("another", "1", 1_900)
    assert mark_started(node, *marks) == 2
    assert node.admin.hgetall(SESSION) == {b"?1": MARK.encode(), b"?2": f"{MARK} 1700".encode()}
    assert node.admin.hget(names.session("another"), "?1") == b"proof 2-0 web 8 1900"


def test_nothing_is_noted_of_nothing(node: Node) -> None:
    assert mark_started(node) == 0
