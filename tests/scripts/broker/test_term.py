"""term.lua and epoch.lua: a Redis that was started anew gives no number of an old epoch."""

from typing import Any

from services.broker.script import EPOCH, Script
from services.broker.term import _term as begin
from services.jobs import names
from tests.scripts.conftest import Node, run
from tests.scripts.sessions import EPOCH as MADE
from tests.scripts.sessions import SESSION, put


def restart(node: Node) -> None:
    """As its first connection finds it after another start."""
    node.admin.hset(names.TERM, "server", "0" * 40)


def begun(node: Node) -> int | None:
    """When the new term began; None where it goes on."""
    reply: Any = run(node.web, begin, [names.TERM])
    return None if reply is None else int(reply)


def test_data_that_no_process_has_reached_lack_nothing(node: Node) -> None:
    assert begun(node) is None
    assert node.admin.hget(names.TERM, "began") == b"0"
    assert run(node.worker, begin, [names.TERM]) is None


def test_another_start_begins_another_term(node: Node) -> None:
    begun(node)
    restart(node)
    first = begun(node)
    restart(node)
    second = begun(node)
    assert first is not None and second is not None and second > first
    assert begun(node) is None


def test_a_clock_that_went_back_begins_no_earlier_term(node: Node) -> None:
    node.admin.hset(names.TERM, mapping={"server": "0" * 40, "began": 4_000_000_000_000})
    assert begun(node) == 4_000_000_000_001


def test_a_session_that_is_older_than_the_term_has_its_epoch(node: Node, tmp_path: Any) -> None:
    (tmp_path / "call.lua").write_text("return later(redis.call('HMGET', KEYS[1], 'epoch')[1], began(KEYS[2]))")
    call = Script(EPOCH, tmp_path / "call.lua")
    put(node)
    assert int(run(node.web, call, [SESSION, names.TERM])) == MADE  # of a Redis that knows no terms yet
    begun(node)
    restart(node)
    term = begun(node)
    assert int(run(node.worker, call, [SESSION, names.TERM])) == term
    node.admin.hset(SESSION, "epoch", 4_000_000_000_000)
    assert int(run(node.web, call, [SESSION, names.TERM])) == 4_000_000_000_000
