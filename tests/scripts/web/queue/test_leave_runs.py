"""leave_runs.lua: jobs that nobody waits for any more leave their runs."""

from services.jobs import names
from services.jobs.names import CANCELLATIONS, Lane
from services.web.queue.cleanup import _leave_runs as leave_runs
from services.web.queue.cleanup import arrange
from tests.scripts.conftest import Node, heard, run

STREAM = names.stream(Lane.HEAVY)


def begin(node: Node, *jobs: int) -> bytes:
    """A run that these jobs of ours wait for; returns its entry."""
    entry: bytes = node.admin.xadd(STREAM, {"jobs": ""})
    for job in jobs:
        node.admin.hset(names.askers(Lane.HEAVY, entry.decode()), names.asker("web", job), "")
    return entry


def leave(node: Node, *leaving: tuple[bytes, int]) -> int:
    keys, arguments = arrange(Lane.HEAVY, list(leaving), "web")
    deleted: int = run(node.web, leave_runs, keys, *arguments)
    return deleted


def test_runs_that_nobody_waits_for_end_and_workers_hear_of_it(node: Node) -> None:
    first, second, third = begin(node, 1), begin(node, 2, 3), begin(node, 4)
    cancelled = node.listen(CANCELLATIONS)
    assert leave(node, (first, 1), (second, 2), (third, 4)) == 2
    assert [entry for entry, _ in node.admin.xrange(STREAM)] == [second]
    assert node.admin.hkeys(names.askers(Lane.HEAVY, second.decode())) == [b"web 3"]
    assert heard(cancelled) == [(CANCELLATIONS, b"heavy %b %b" % (first, third))]


def test_nothing_is_said_while_all_runs_go_on(node: Node) -> None:
    entry = begin(node, 1, 2)
    cancelled = node.listen(CANCELLATIONS)
    assert leave(node, (entry, 1)) == 0
    assert heard(cancelled) == []


def test_a_run_that_two_jobs_leave_ends_once(node: Node) -> None:
    entry = begin(node, 1, 2)
    cancelled = node.listen(CANCELLATIONS)
    assert leave(node, (entry, 1), (entry, 2)) == 1
    assert heard(cancelled) == [(CANCELLATIONS, b"heavy " + entry)]
