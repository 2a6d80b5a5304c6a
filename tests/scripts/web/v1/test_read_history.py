"""read_history.lua: what a session was answered after a number."""

from typing import Any

import pytest

from services.jobs import messages, names
from services.web.v1.history import _read_history as read_history
from tests.scripts.conftest import Node, run
from tests.scripts.sessions import EPOCH, HISTORY, SESSION, kept, put

ENTRY = len(kept("abc", 100))  # bytes of a small one


def read(node: Node, after: int, most: int = names.HISTORY, epoch: int = EPOCH) -> Any:
    reply = run(node.web, read_history, [SESSION, HISTORY], epoch, after, most, names.TERM, names.HISTORY_BYTES)
    return None if reply is None else (int(reply[0]), [messages.decode_kept(entry)[0] for entry in reply[1]])


def test_reads_what_comes_after_a_number(node: Node) -> None:
    put(node, answers=5)
    assert read(node, 0) == (5, ["1", "2", "3", "4", "5"])
    assert read(node, 3) == (5, ["4", "5"])


@pytest.mark.parametrize("after", [5, 6])
def test_nothing_comes_after_the_last(node: Node, after: int) -> None:
    put(node, answers=5)
    assert read(node, after) == (5, [])


def test_reads_no_more_than_it_is_asked_for(node: Node) -> None:
    put(node, answers=5)
    assert read(node, 1, most=1) == (5, ["2"])
    assert read(node, 1, most=4) == (5, ["2", "3", "4", "5"])


def test_reads_what_is_left_of_a_history_that_let_answers_go(node: Node) -> None:
    put(node, answers=5)
    node.admin.lpop(HISTORY, 2)
    assert read(node, 0) == (5, ["3", "4", "5"])
    assert read(node, 0, most=1) == (5, [])  # the first one is gone


@pytest.mark.parametrize(("bytes", "read"), [(1, 1), (ENTRY, 1), (ENTRY + 1, 2), (40 * ENTRY, 40), (1_000 * ENTRY, 90)])
def test_reads_no_more_once_it_has_so_many_bytes_and_says_where_it_ended(node: Node, bytes: int, read: int) -> None:
    node.admin.hset(SESSION, mapping={"epoch": EPOCH, "last": 100, "moves": 0, "ttl": 900})
    node.admin.rpush(HISTORY, *(kept("abc", n) for n in range(101)[1:]))
    last, entries, to = run(node.web, read_history, [SESSION, HISTORY], EPOCH, 10, names.HISTORY, names.TERM, bytes)
    assert [messages.decode_kept(entry)[1].id for entry in entries] == list(range(11, 11 + read))
    assert (int(last), int(to)) == (100, 10 + read)


@pytest.mark.parametrize("there", [True, False])
def test_a_session_of_another_epoch_or_none_has_nothing_to_read(node: Node, there: bool) -> None:
    if there:
        put(node, answers=5)
    assert read(node, 0, epoch=EPOCH + 1) is None


def test_reading_changes_nothing(node: Node) -> None:
    put(node, answers=5)
    node.admin.persist(SESSION)
    before = node.admin.hgetall(SESSION)
    read(node, 0)
    assert (node.admin.hgetall(SESSION), node.admin.ttl(SESSION)) == (before, -1)


def test_an_older_terms_epoch_has_nothing_to_read(node: Node) -> None:
    put(node, answers=5)
    node.admin.hset(names.TERM, "began", EPOCH + 7)
    assert read(node, 3) is None
    assert read(node, 3, epoch=EPOCH + 7) == (5, ["4", "5"])
