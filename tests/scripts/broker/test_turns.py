"""turns.lua: whose costly entry is next."""

from collections import Counter, defaultdict
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.broker.script import TRY, TURNS, Script
from services.jobs import names
from services.jobs import turn as turns
from services.jobs.names import Lane
from tests.scripts.conftest import Node, run

STREAM = names.stream(Lane.HEAVY)

CALLS = {
    "wait": "wait_turn(KEYS[1], ARGV[1], ARGV[2])",
    "join": "join_turn(KEYS[1], ARGV[1], ARGV[2], ARGV[3])",
    "leave": "leave_turn(KEYS[1], ARGV[1], ARGV[2])",
    # takes the next one and serves it for what it costs, the argument
    "serve": """
        local turn = try_turns(next_turn, KEYS[1])
        if turn then
            try_turns(end_turn, KEYS[1], turn, tonumber(ARGV[1]))
            return turn.entry
        end""",
    "read": "return { read_turn(ARGV[1]) }",
}


class Line:
    """The functions alone, on the heavy lane."""

    def __init__(self, node: Node, folder: Path) -> None:
        self._node = node
        self._scripts: dict[str, Script] = {}
        for name, source in CALLS.items():
            path = folder / f"{name}.lua"
            path.write_text(source)
            self._scripts[name] = Script(TRY, TURNS, path)
        self._ids = count(1)

    def wait(self, turn: str) -> str:
        entry = f"{next(self._ids)}-0"
        run(self._node.web, self._scripts["wait"], [STREAM], entry, turn)
        return entry

    def join(self, entry: str, turn: str, joining: str) -> None:
        run(self._node.web, self._scripts["join"], [STREAM], entry, turn, joining)

    def leave(self, entry: str, turn: str) -> None:
        run(self._node.web, self._scripts["leave"], [STREAM], entry, turn)

    def serve(self, cost: int = 100) -> str | None:
        entry = run(self._node.worker, self._scripts["serve"], [STREAM], cost)
        return None if entry is None else entry.decode()

    def read(self, turn: str) -> list[bytes | int]:
        found: list[bytes | int] = run(self._node.web, self._scripts["read"], [], turn)
        return found

    @property
    def keys(self) -> set[str]:
        return {key.decode() for key in self._node.admin.keys("*")}


@pytest.fixture
def line(node: Node, tmp_path: Path) -> Line:
    return Line(node, tmp_path)


def test_one_client_is_served_in_order_and_nothing_is_left(line: Line) -> None:
    entries = [line.wait("a x 100") for _ in range(5)]
    assert [line.serve() for _ in range(6)] == [*entries, None]
    assert line.keys == set()


def test_who_asks_for_little_waits_for_one_entry_of_who_asks_for_much(line: Line) -> None:
    greedy = [line.wait("a x 100") for _ in range(200)]
    assert [line.serve(), line.serve()] == greedy[:2]
    polite = line.wait("b x 100")
    assert polite in {line.serve(), line.serve()}


def test_clients_are_served_by_what_their_entries_cost(line: Line) -> None:
    for _ in range(40):
        line.wait("large x 1000")
        line.wait("small x 100")
    served = Counter[str]()
    sizes = {f"{2 * number + 1}-0": "large" for number in range(40)}
    for _ in range(22):
        entry = f"{0}-0"
        client = None
        # the script is told the cost after it chose, as claim.lua reads it from the entry
        found = line._node.admin.zrange(f"{STREAM}:turns", 0, 0)[0].decode()
        entry = line.serve(1000 if found == "large" else 100) or ""
        client = sizes.get(entry, "small")
        assert client == found
        served[client] += 1
    assert served["small"] == pytest.approx(10 * served["large"], abs=10)


def test_flows_of_one_client_take_turns_too(line: Line) -> None:
    for _ in range(10):
        line.wait("a x 100")
    assert line.serve() == "1-0"
    late = line.wait("a y 100")
    assert late in {line.serve(), line.serve()}


def test_idle_time_earns_nothing(line: Line) -> None:
    line.wait("b x 100")
    for _ in range(50):
        line.wait("a x 100")
    for _ in range(26):
        line.serve()
    late = [line.wait("b x 100") for _ in range(10)]
    served = [line.serve() for _ in range(10)]
    assert 4 <= len([entry for entry in served if entry in late]) <= 6


def test_what_left_cost_its_client_nothing(line: Line) -> None:
    line.wait("b x 100")
    for entry in [line.wait("a x 1000") for _ in range(100)]:
        line.leave(entry, "a x 1000")
    line.wait("b x 100")
    small = line.wait("a x 100")
    assert small in {line.serve(), line.serve()}
    line.serve()
    assert line.serve() is None
    assert line.keys == set()


def test_what_nobody_waits_for_is_no_loss_to_leave(line: Line) -> None:
    line.leave("7-0", "a x 100")
    assert line.keys == set()


def test_an_entry_that_another_client_joins_is_served_when_the_first_of_them_has_its_turn(line: Line) -> None:
    entries = [line.wait("a x 100") for _ in range(50)]
    line.join(entries[-1], "a x 100", "b x 1")
    assert entries[-1] in {line.serve(), line.serve()}


def test_who_joins_what_runs_already_takes_no_turn(line: Line) -> None:
    entry = line.wait("a x 100")
    line.wait("a x 100")
    assert line.serve() == entry
    line.join(entry, "a x 100", "b x 100")
    assert [line.serve(), line.serve()] == ["2-0", None]


def test_a_turn_that_cannot_be_read_is_anybodys(line: Line) -> None:
    assert line.read("a b") == line.read("- - 1000") == [b"-", b"-", 1000, 0]
    assert line.read("::1/64 web/7 12") == [b"::1/64", b"web/7", 12, 0]
    assert line.read(turns.write("::1/64", "web/7", 12, 34)) == [b"::1/64", b"web/7", 12, 34]


def test_keys_of_another_type_are_made_anew(node: Node, line: Line) -> None:
    for key in ("turns", "turns:a", "served"):
        line.wait("a x 100")
        node.admin.delete(f"{STREAM}:{key}")
        node.admin.set(f"{STREAM}:{key}", "spoiled")
        line.wait("a x 100")
        assert line.serve() is None or line.serve() is None
        line.wait("a x 100")
        assert line.serve() is not None
        node.admin.flushall()


def test_where_nobody_stands_any_more_is_forgotten(node: Node, line: Line) -> None:
    line.wait("a x 1")
    for number in range(1_000):
        line.wait("a x 1")
        line.wait(f"b{number} x 1")
        line.serve(1)
        line.serve(1)
    assert node.admin.hlen(f"{STREAM}:served") < 1_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy"), st.sampled_from([1, 50, 400])), min_size=10, max_size=60))
def test_clients_that_always_wait_are_served_alike(line: Line, asked: list[tuple[str, str, int]]) -> None:
    """Of two clients that wait all the time, none is ahead by more than the largest entries of both."""
    costs: dict[str, tuple[str, int]] = {}
    left: dict[str, int] = defaultdict(int)
    for client, flow, cost in asked:
        costs[line.wait(f"{client} {flow} {cost}")] = client, cost
        left[client] += 1
    served: dict[str, int] = defaultdict(int)
    together = set(left)  # clients that have waited from the first moment until now
    while costs:
        head = line._node.admin.zrange(f"{STREAM}:turns", 0, 0)[0].decode()
        first = line._node.admin.zrange(f"{STREAM}:turns:{head}", 0, 0)[0].decode()
        assert line.serve(costs[first][1]) == first
        client, cost = costs.pop(first)
        assert client == head
        served[client] += cost
        left[client] -= 1
        if client in together:
            amounts = [served[each] for each in together]
            assert max(amounts) - min(amounts) <= 2 * 400
        if not left[client]:
            together.discard(client)
    assert line.serve() is None
    assert line.keys == set()
