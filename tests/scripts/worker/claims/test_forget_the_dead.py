"""forget_the_dead.lua: consumers go that hold nothing and have been silent for long."""

import pytest

from services.jobs.names import GROUP, Lane
from services.worker.claims import group
from services.worker.claims.group import FORGET_THE_DEAD, forget_call
from tests.scripts.conftest import Node, run
from tests.scripts.worker.claims.pending import STREAM, held


def forget(node: Node) -> int:
    keys, arguments = forget_call(Lane.HEAVY)
    return int(run(node.worker, FORGET_THE_DEAD, keys, *arguments))


def consumers(node: Node) -> set[bytes]:
    return {each["name"] for each in node.admin.xinfo_consumers(STREAM, GROUP)}


def test_only_who_holds_nothing_and_is_silent_goes(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    held(node, "busy", idle=0)
    node.admin.xgroup_createconsumer(STREAM, GROUP, "idle")
    assert forget(node) == 0  # an hour is not over
    monkeypatch.setattr(group, "FORGET", -1)
    assert forget(node) == 1
    assert consumers(node) == {b"busy"}


def test_nobody_goes_without_a_group(node: Node) -> None:
    assert forget(node) == 0
