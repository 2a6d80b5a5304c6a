"""waiting.lua: how many entries of a stream no worker has, as the scripts that append entries ask it."""

from pathlib import Path

import pytest

from services.broker.script import WAITING, Script
from services.jobs import names
from services.jobs.names import GROUP, Lane
from tests.scripts.conftest import Node, run

STREAM = names.stream(Lane.HEAVY)


@pytest.fixture
def waiting(tmp_path: Path) -> Script:
    """The function alone, called with the stream's true length."""
    call = tmp_path / "call.lua"
    call.write_text("return waiting(KEYS[1], ARGV[1], redis.call('XLEN', KEYS[1]))")
    return Script(WAITING, call)


def add(node: Node, entries: int) -> None:
    for n in range(entries):
        node.admin.xadd(STREAM, {"jobs": n})


def test_none_waits_where_there_is_no_stream(node: Node, waiting: Script) -> None:
    assert run(node.web, waiting, [STREAM], GROUP) == 0


def test_without_a_group_none_counts(node: Node, waiting: Script) -> None:
    add(node, 2)
    assert run(node.web, waiting, [STREAM], GROUP) == 0


def test_another_group_does_not_count(node: Node, waiting: Script) -> None:
    add(node, 2)
    node.admin.xgroup_create(STREAM, "others", "0")
    assert run(node.web, waiting, [STREAM], GROUP) == 0


def test_what_no_worker_has_waits(node: Node, waiting: Script) -> None:
    add(node, 3)
    node.admin.xgroup_create(STREAM, GROUP, "0")
    assert run(node.web, waiting, [STREAM], GROUP) == 3
    node.admin.xreadgroup(GROUP, "worker", {STREAM: ">"}, count=2)
    assert run(node.web, waiting, [STREAM], GROUP) == 1


def test_an_entry_that_was_deleted_out_of_order_is_not_counted(node: Node, waiting: Script) -> None:
    add(node, 3)
    node.admin.xgroup_create(STREAM, GROUP, "0")
    ((_, ((first, _), *_)),) = node.admin.xreadgroup(GROUP, "worker", {STREAM: ">"}, count=2)
    node.admin.xack(STREAM, GROUP, first)
    node.admin.xdel(STREAM, first)
    assert run(node.web, waiting, [STREAM], GROUP) == 1
