"""term.lua and epoch.lua: a Redis that was started anew gives no number of an old epoch."""

from typing import Any

import pytest

from services.broker.script import EPOCH, Script
from services.broker.term import _term as begin
from services.jobs import names
from services.jobs.names import Lane
from tests.integration.waiting import wait_until
from tests.scripts.conftest import Node, run
from tests.scripts.sessions import EPOCH as MADE
from tests.scripts.sessions import SESSION, put


def restart(node: Node) -> None:
    """As its first connection finds it after another start."""
    node.admin.hset(names.TERM, "server", "0" * 40)


def begun(node: Node, user: str = "web") -> int | None:
    """When the new term began, as this user learns; None where it goes on."""
    reply: Any = run(getattr(node, user), begin, [names.TERM], *map(names.stream, Lane))
    return None if reply is None else int(reply)


def test_data_that_no_process_has_reached_lack_nothing(node: Node) -> None:
    assert begun(node) is None
    assert node.admin.hget(names.TERM, "began") == b"0"
    assert run(node.worker, begin, [names.TERM], *map(names.stream, Lane)) is None


def test_another_start_begins_another_term_whoever_comes_first(node: Node) -> None:
    for lane in Lane:
        node.admin.xadd(names.stream(lane), {"jobs": ""})
    begun(node)
    restart(node)
    first = begun(node, "web")
    restart(node)
    second = begun(node, "worker")
    assert first is not None and second is not None and second > first
    assert begun(node) is None


HOUR = 3_600_000  # ms


def test_a_clock_that_went_back_begins_no_earlier_term(node: Node) -> None:
    node.admin.hset(names.TERM, mapping={"server": "0" * 40, "began": 4_000_000_000_000})
    term = begun(node)
    assert term is not None and 0 <= term - 4_000_000_000_000 - HOUR < HOUR


def test_a_term_is_later_than_the_epochs_that_the_former_one_counted(node: Node) -> None:
    node.admin.hset(names.TERM, mapping={"server": "0" * 40, "began": 4_000_000_000_000, "made": 2 * HOUR})
    term = begun(node)
    assert term is not None and 0 <= term - 4_000_000_000_000 - 3 * HOUR < HOUR
    assert not node.admin.hexists(names.TERM, "made")


def test_a_term_that_was_lost_is_not_begun_again(node: Node) -> None:
    forgotten = {"server": "0" * 40, "began": 4_000_000_000_000}
    node.admin.hset(names.TERM, mapping=forgotten)
    first = begun(node)
    node.admin.hset(names.TERM, mapping=forgotten)
    seconds, microseconds = node.admin.time()
    wait_until(lambda: node.admin.time() > (seconds, microseconds + 1_000), "a millisecond has passed, as in any start of Redis")
    assert begun(node) != first


@pytest.mark.parametrize("lane", Lane)
def test_a_term_is_later_than_what_was_lost_with_the_clock(node: Node, lane: Lane) -> None:
    """The last entry that is left may be gone again, and was a little earlier than the last that was given."""
    begun(node)
    entry = node.admin.xadd(names.stream(lane), {"jobs": ""}, id="4000000000000-5")
    node.admin.xdel(names.stream(lane), entry)
    restart(node)
    term = begun(node)
    assert term is not None and 0 <= term - 4_000_000_000_000 - HOUR < HOUR
    later: Any = node.admin.xadd(names.stream(lane), {"jobs": ""})
    assert int(later.partition(b"-")[0]) == 4_000_000_000_000


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
