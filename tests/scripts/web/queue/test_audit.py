"""audit.lua: which entries left their stream."""

from services.jobs import names
from services.jobs.names import Lane
from services.web.queue.audit import _audit as audit
from tests.scripts.conftest import Node, run

STREAM = names.stream(Lane.QUICK)


def test_tells_the_entries_that_are_gone_in_the_order_of_the_question(node: Node) -> None:
    first, second, third = (node.admin.xadd(STREAM, {"jobs": n}) for n in range(3))
    node.admin.xdel(STREAM, first, third)
    assert run(node.web, audit, [STREAM], third, second, first) == [third, first]
    assert node.admin.xlen(STREAM) == 1  # it only looks


def test_all_are_gone_where_there_is_no_stream(node: Node) -> None:
    assert run(node.web, audit, [STREAM], "1-0", "2-0") == [b"1-0", b"2-0"]
    assert node.admin.keys("*") == []


def test_nothing_is_asked_and_nothing_told(node: Node) -> None:
    assert run(node.web, audit, [STREAM]) == []
