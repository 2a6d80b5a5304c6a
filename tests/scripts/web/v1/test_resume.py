"""resume.lua: a session moves to another web process."""

from typing import Any

import pytest

from services.jobs import messages, names
from services.web.v1.resumption import _arrange
from services.web.v1.resumption import _resume as resume
from tests.integration.waiting import wait_until
from tests.scripts.conftest import Node, heard, run
from tests.scripts.sessions import EPOCH, HISTORY, SESSION, TOKEN, field, put
from tests.scripts.web.upload.uploads import now

LIFETIME = 1_200


def move(node: Node, web: str = "web1", after: int = 0, epoch: int | str = EPOCH) -> Any:
    """Hash and requests of the answers missed; None when there is no such session."""
    keys, arguments = _arrange(TOKEN, web, LIFETIME, str(epoch), after)
    reply = run(node.web, resume, keys, *arguments)
    if reply is None:
        return None
    fields, missed, _ = reply
    return dict(zip(fields[::2], fields[1::2], strict=True)), [messages.decode_kept(entry)[0] for entry in missed]


def test_there_is_no_session_to_move_and_none_is_made(node: Node) -> None:
    assert move(node) is None
    assert node.admin.keys("*") == []


def test_it_has_another_owner_and_a_new_lifetime(node: Node) -> None:
    put(node, answers=2, a="quick 17-0 web0 5")
    fields, _ = move(node)
    assert fields == node.admin.hgetall(SESSION)
    assert [fields[name] for name in (b"owner", b"ttl", b"?a")] == [b"web1", b"1200", b"quick 17-0 web0 5"]
    assert int(fields[b"moves"]) > EPOCH
    assert [node.admin.ttl(key) for key in (SESSION, HISTORY)] == pytest.approx([LIFETIME] * 2, abs=1)


def test_the_web_process_that_held_it_is_told_which_move_it_was(node: Node) -> None:
    put(node)
    listener = node.listen(names.evictions("web0"), names.evictions("web1"))
    moves = [int(reply[0][b"moves"]) for web in ("web1", "web0") if (reply := move(node, web))]
    assert heard(listener) == [
        ("primes:evictions:web0", f"{TOKEN} {moves[0]}".encode()),
        ("primes:evictions:web1", f"{TOKEN} {moves[1]}".encode()),
    ]
    assert moves[0] < moves[1]


def test_a_move_that_redis_forgot_is_not_the_next_one(node: Node) -> None:
    put(node)
    forgotten, _ = move(node, "web1")
    node.admin.hset(SESSION, "moves", 0)
    wait_until(lambda: now(node) > int(forgotten[b"moves"]), "a millisecond has passed, as in any start of Redis")
    fields, _ = move(node, "web2")
    assert int(fields[b"moves"]) > int(forgotten[b"moves"])


def test_a_session_that_is_older_than_the_term_goes_on_in_its_epoch(node: Node) -> None:
    put(node, answers=2)
    node.admin.hset(names.TERM, "began", EPOCH + 7)
    fields, missed = move(node, after=1)
    assert (fields[b"epoch"], missed) == (str(EPOCH + 7).encode(), [])


@pytest.mark.parametrize("began", [-1, 0, 7], ids=["a younger one", "one of the same instant", "an older one"])
def test_who_has_no_offset_is_sent_nothing_of_a_session_that_is_older_than_the_term(node: Node, began: int) -> None:
    """It may have seen over another socket what has other numbers now."""
    put(node, answers=2)
    node.admin.hset(names.TERM, "began", EPOCH + began)
    _, missed = move(node, epoch="")
    assert missed == (["1", "2"] if began < 0 else [])


@pytest.mark.parametrize("owner", ["web1", ""], ids=["its own", "nobody's"])
def test_nobody_else_is_told(node: Node, owner: str) -> None:
    put(node, owner=owner)
    listener = node.listen(names.evictions("web0"), names.evictions("web1"), names.evictions(""))
    move(node, "web1")
    assert heard(listener) == []
    assert field(node, "owner") == "web1"


@pytest.mark.parametrize(
    ("epoch", "after", "missed"),
    [
        (EPOCH, 1, ["2", "3"]),
        (EPOCH, 3, []),
        (EPOCH, 4, []),
        ("", 0, ["1", "2", "3"]),
        (EPOCH + 1, 1, []),
    ],
    ids=["some", "none", "an offset of the future", "from the beginning", "another epoch's offset"],
)
def test_what_the_client_missed_comes_with_it(node: Node, epoch: int | str, after: int, missed: list[str]) -> None:
    put(node, answers=3)
    assert move(node, after=after, epoch=epoch)[1] == missed


def test_of_a_history_that_let_answers_go_the_rest_comes(node: Node) -> None:
    put(node, answers=3)
    node.admin.lpop(HISTORY, 2)
    assert move(node)[1] == ["3"]
