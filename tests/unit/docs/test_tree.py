"""The rooms of `services/` stand on floors: each imports only of those below it."""

import ast
import re
from pathlib import Path

import pytest

from tests.unit.docs.documents import ROOT, read

# What the modules of each room may import of `services` beside their own.
BELOW: dict[str, set[str]] = {
    "jobs": set(),
    "runtime": set(),
    "broker": {"jobs", "runtime"},
    "access": {"jobs"},
    "canary": {"jobs", "runtime"},
    "dead": {"jobs", "runtime", "broker"},
    "web": {"jobs", "runtime", "broker", "dead", "access"},
    "worker": {"jobs", "runtime", "broker", "dead", "access"},
}


def imported(module: Path) -> set[str]:
    """The rooms of `services` that a module imports from."""
    nodes = list(ast.walk(ast.parse(module.read_text())))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    modules += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    return {name.split(".")[1] for name in modules if name.startswith("services.")}


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_of_those_below_it(room: str) -> None:
    modules = list((ROOT / "services" / room).rglob("*.py"))
    assert modules
    for module in modules:
        assert imported(module) <= BELOW[room] | {room}, module


def test_every_room_is_in_the_picture_of_the_tree() -> None:
    rooms = {path.parent.relative_to(ROOT / "services") for path in (ROOT / "services").glob("**/__init__.py")} - {Path()}
    assert {room.parts[0] for room in rooms} == BELOW.keys()
    drawn = set(re.findall(r"^ +(\w+)/ ", read("docs/tree.md"), re.MULTILINE))
    assert {room.name for room in rooms} <= drawn
