"""touch.lua: sessions are renewed, and their web process learns where Redis stands."""

from typing import Any

import pytest

from services.web.v1.renewal import _arrange
from services.web.v1.renewal import _touch as touch
from services.web.v1.session import Session
from tests.scripts.conftest import Node, run
from tests.scripts.sessions import EPOCH, HISTORY, SESSION, TOKEN, field, put

LIFETIME = 1_200


def renew(node: Node, web: str = "web0", moves: int = 0, *tokens: str) -> Any:
    sessions = [Session(token) for token in tokens or (TOKEN,)]
    for session in sessions:
        session.moves = moves
    keys, arguments = _arrange(sessions, web, LIFETIME)
    return run(node.web, touch, keys, *arguments)


def test_tells_epoch_last_number_moves_and_whether_it_is_ours(node: Node) -> None:
    put(node, answers=3)
    assert renew(node) == [[str(EPOCH).encode(), b"3", b"0", 1]]


def test_a_session_that_is_gone_has_no_state_and_is_not_made(node: Node) -> None:
    put(node, answers=3)
    assert renew(node, "web0", 0, "other", TOKEN, "another") == [None, [str(EPOCH).encode(), b"3", b"0", 1], None]
    assert sorted(node.admin.keys("*")) == sorted([SESSION.encode(), HISTORY.encode()])


def test_no_session_is_no_reply(node: Node) -> None:
    keys, arguments = _arrange([], "web0", LIFETIME)
    assert run(node.web, touch, keys, *arguments) == []


@pytest.mark.parametrize(("left", "after"), [(990, LIFETIME), (1_010, 1_010)], ids=["renewed", "left alone"])
def test_a_session_is_renewed_when_less_than_five_sixths_are_left(node: Node, left: int, after: int) -> None:
    put(node, answers=1)
    for key in (SESSION, HISTORY):
        node.admin.expire(key, left)
    renew(node)
    assert [node.admin.ttl(key) for key in (SESSION, HISTORY)] == pytest.approx([after] * 2, abs=1)


@pytest.mark.parametrize("owner", ["", "web1"], ids=["nobody", "another"])
def test_a_session_that_was_made_again_without_us_gets_its_owner_back(node: Node, owner: str) -> None:
    put(node, owner=owner)
    assert renew(node, "web0", 2) == [[str(EPOCH).encode(), b"0", b"2", 1]]
    assert (field(node, "owner"), field(node, "moves")) == ("web0", "2")


def test_ours_that_was_made_again_learns_its_moves(node: Node) -> None:
    put(node, owner="web0")
    renew(node, "web0", 2)
    assert field(node, "moves") == "2"


def test_a_session_that_moved_on_keeps_its_new_owner(node: Node) -> None:
    put(node, owner="web1")
    node.admin.hset(SESSION, "moves", 3)
    assert renew(node, "web0", 2) == [[str(EPOCH).encode(), b"0", b"3", 0]]
    assert (field(node, "owner"), field(node, "moves")) == ("web1", "3")


def test_of_two_that_know_as_many_moves_the_one_that_redis_names_keeps_the_session(node: Node) -> None:
    put(node, owner="web1")  # after a Redis that was set back gave another resume the number of ours
    node.admin.hset(SESSION, "moves", 2)
    assert renew(node, "web0", 2) == [[str(EPOCH).encode(), b"0", b"2", 0]]
    assert renew(node, "web1", 2) == [[str(EPOCH).encode(), b"0", b"2", 1]]
    assert field(node, "owner") == "web1"
