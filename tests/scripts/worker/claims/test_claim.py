"""claim.lua: the entry whose turn it is goes to one worker, and none is forgotten."""

from typing import Any

import pytest

from services.broker.script import TRY, TURNS, Script
from services.jobs import turn as turns
from services.jobs.names import GROUP, Lane
from services.worker.claims.reader import CLAIM, claim_call
from tests.scripts.conftest import Node, run
from tests.scripts.worker.claims.pending import STREAM, pending


@pytest.fixture
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Script:
    """Appends an entry that waits for its turn."""
    call = tmp_path_factory.mktemp("scripts") / "call.lua"
    call.write_text(
        "local id = redis.call('XADD', KEYS[1], '*', 'jobs', ARGV[2], 'turn', ARGV[1])\nwait_turn(KEYS[1], id, ARGV[1])\nreturn id"
    )
    return Script(TRY, TURNS, call)


@pytest.fixture
def joining(tmp_path_factory: pytest.TempPathFactory) -> Script:
    """Has somebody else wait for an entry too."""
    call = tmp_path_factory.mktemp("scripts") / "call.lua"
    call.write_text("join_turn(KEYS[1], ARGV[1], ARGV[2], ARGV[3])")
    return Script(TRY, TURNS, call)


def group(node: Node) -> None:
    node.admin.xgroup_create(STREAM, GROUP, id="0", mkstream=True)


def claim(node: Node, worker: str = "mine", *, sweeping: bool = False, most: int = 0) -> Any:
    keys, arguments = claim_call(Lane.HEAVY, worker, sweeping=sweeping, most=most)
    return run(node.worker, CLAIM, keys, *arguments)


def claimed(node: Node, count: int, *, sweeping: bool = False) -> list[bytes]:
    return [found[0] for _ in range(count) if (found := claim(node, sweeping=sweeping))]


def test_entries_go_by_turns_each_to_one_worker_as_delivered_once(node: Node, waiting: Script) -> None:
    group(node)
    first, second = (run(node.web, waiting, [STREAM], turns.write("a", "x", 100), n) for n in range(2))
    other = run(node.web, waiting, [STREAM], turns.write("b", "x", 100), 7)
    assert claim(node) == [first, [b"jobs", b"0", b"turn", b"a x 100 0"]]
    assert claim(node, "another")[0] == other
    assert claim(node, "another")[0] == second
    assert claim(node) is None
    assert {id: (each["consumer"], each["times_delivered"]) for id, each in pending(node).items()} == {
        first: (b"mine", 1),
        other: (b"another", 1),
        second: (b"another", 1),
    }
    assert node.admin.keys(f"{STREAM}:*") == []


def lined_up(node: Node, waiting: Script, client: str, *costs: int, flow: str = "x") -> list[bytes]:
    """Entries of one flow, by their costs."""
    return [run(node.web, waiting, [STREAM], turns.write(client, flow, cost), cost) for cost in costs]


def test_a_child_for_short_ones_goes_past_clients_whose_next_entry_is_long(node: Node, waiting: Script) -> None:
    group(node)
    long = lined_up(node, waiting, "a", 500, 500)
    short = lined_up(node, waiting, "b", 100)
    assert [claim(node, most=100)[0]] == short
    assert claim(node, most=100) is None
    assert claimed(node, 3) == long
    assert node.admin.keys(f"{STREAM}:turns*") == []


def test_a_child_for_short_ones_goes_past_long_ones_of_the_same_client(node: Node, waiting: Script) -> None:
    group(node)
    first, short, second = lined_up(node, waiting, "a", 500, 100, 500)
    other = lined_up(node, waiting, "a", 90, flow="y")
    assert [claim(node, most=100)[0] for _ in range(2)] == [*other, short]
    assert claim(node, most=100) is None
    assert claimed(node, 3) == [first, second]
    assert node.admin.keys(f"{STREAM}:turns*") == []


def test_behind_eight_long_ones_of_a_client_a_short_one_waits_for_its_turn(node: Node, waiting: Script) -> None:
    group(node)
    first, *long, short = lined_up(node, waiting, "a", *[500] * 8, 100)
    assert claim(node, most=100) is None
    assert claimed(node, 1) == [first]
    assert claim(node, most=100)[0] == short
    assert claimed(node, 9) == long


def test_who_comes_after_a_short_one_was_taken_does_not_wait_for_the_long_ones_before_it(node: Node, waiting: Script) -> None:
    group(node)
    first, *long = lined_up(node, waiting, "a", 5_000, 5_000, 5_000, 100)
    assert claim(node, most=100)[0] == long.pop()
    other = lined_up(node, waiting, "a", 200, 200, flow="y")
    stranger = lined_up(node, waiting, "b", 300)
    assert claimed(node, 6) == [*stranger, first, *other, *long]


def test_what_nobody_has_estimated_is_no_short_one(node: Node) -> None:
    group(node)
    bare = node.admin.xadd(STREAM, {"jobs": 1})
    assert claim(node, sweeping=True, most=turns.SHORT) is None
    assert claimed(node, 1) == [bare]


def test_a_child_for_short_ones_lines_up_what_waits_for_no_turn_while_it_sweeps(node: Node) -> None:
    group(node)
    long, short = (node.admin.xadd(STREAM, {"jobs": cost, "turn": turns.write("a", "x", cost)}) for cost in (500, 100))
    assert claim(node, most=100) is None
    assert claim(node, sweeping=True, most=100)[0] == short
    assert claimed(node, 1) == [long]


def test_a_short_one_that_is_gone_or_taken_is_passed_over(node: Node, waiting: Script) -> None:
    group(node)
    gone, taken, left = (run(node.web, waiting, [STREAM], turns.write(name, "x", 100), n) for n, name in enumerate("abc"))
    node.admin.xdel(STREAM, gone)
    node.admin.xclaim(STREAM, GROUP, "another", 0, [taken], force=True)
    assert claim(node, most=100)[0] == left
    assert claim(node, most=100) is None


def test_the_turns_of_those_who_joined_an_entry_end_when_the_lane_is_empty(node: Node, waiting: Script, joining: Script) -> None:
    group(node)
    entry = run(node.web, waiting, [STREAM], turns.write("a", "x", 100), 0)
    run(node.web, joining, [STREAM], entry, turns.write("a", "x", 100), turns.write("b", "x", 100))
    assert claimed(node, 1) == [entry]
    assert node.admin.keys(f"{STREAM}:turns*") != []
    node.admin.xack(STREAM, GROUP, entry)
    node.admin.xdel(STREAM, entry)
    assert claim(node) is None
    assert node.admin.keys(f"{STREAM}:*") == []


def test_an_entry_that_is_gone_is_passed_over(node: Node, waiting: Script) -> None:
    group(node)
    entries = [run(node.web, waiting, [STREAM], turns.write("a", "x", 100), n) for n in range(3)]
    node.admin.xdel(STREAM, entries[0], entries[1])
    assert claimed(node, 2) == entries[2:]


def test_an_entry_that_another_version_took_is_passed_over(node: Node, waiting: Script) -> None:
    group(node)
    entries = [run(node.web, waiting, [STREAM], turns.write("a", "x", 100), n) for n in range(3)]
    node.admin.xreadgroup(GROUP, "old", {STREAM: ">"}, count=2)
    assert claimed(node, 2) == entries[2:]
    assert [pending(node)[entry]["consumer"] for entry in entries] == [b"old", b"old", b"mine"]


def test_a_worker_of_another_version_reads_what_is_left(node: Node, waiting: Script) -> None:
    group(node)
    entries = [run(node.web, waiting, [STREAM], turns.write("a", "x", 100), n) for n in range(3)]
    claimed(node, 1)
    node.admin.xack(STREAM, GROUP, entries[0])
    node.admin.xdel(STREAM, entries[0])
    ((_, found),) = node.admin.xreadgroup(GROUP, "old", {STREAM: ">"})
    assert [id for id, _ in found] == entries[1:]


def test_what_waits_for_no_turn_is_claimed_when_nothing_else_waits(node: Node, waiting: Script) -> None:
    group(node)
    bare = [node.admin.xadd(STREAM, {"jobs": n}) for n in range(3)]
    other = run(node.web, waiting, [STREAM], turns.write("a", "x", 100), 7)
    assert claimed(node, 5) == [other, *bare]


def test_a_sweep_lines_up_what_waits_for_no_turn_though_others_wait(node: Node, waiting: Script) -> None:
    group(node)
    bare = node.admin.xadd(STREAM, {"jobs": 1})
    entries = [run(node.web, waiting, [STREAM], turns.write("a", "x", 10_000), n) for n in range(5)]
    assert claimed(node, 1, sweeping=True) == entries[:1]
    assert claimed(node, 1) == [bare]


def test_a_long_stream_is_gone_through_in_many_sweeps(node: Node, waiting: Script) -> None:
    group(node)
    for number in range(2_500):
        node.admin.xadd(STREAM, {"jobs": number})
    run(node.web, waiting, [STREAM], turns.write("a", "x", 100), 7)
    claimed(node, 3, sweeping=True)
    assert node.admin.zcard(f"{STREAM}:turns:-") >= 2_498
    assert len({*claimed(node, 2_600)}) == 2_498
    assert node.admin.keys(f"{STREAM}:*") == []


def test_where_no_group_is_nothing_is_lost(node: Node, waiting: Script) -> None:
    entry = run(node.web, waiting, [STREAM], turns.write("a", "x", 100), 7)
    with pytest.raises(Exception, match="NOGROUP"):
        claim(node)
    group(node)
    assert claimed(node, 1) == [entry]


@pytest.mark.parametrize("key", ["turns", "turns:a", "served"])
def test_turns_that_cannot_be_read_are_made_anew_from_the_stream(node: Node, waiting: Script, key: str) -> None:
    group(node)
    entries = {run(node.web, waiting, [STREAM], turns.write("a", "x", 100), n) for n in range(3)}
    node.admin.delete(f"{STREAM}:{key}")
    node.admin.set(f"{STREAM}:{key}", "spoiled")
    entries.add(run(node.web, waiting, [STREAM], turns.write("a", "y", 100), 4))
    assert {*claimed(node, 5, sweeping=True)} == entries
