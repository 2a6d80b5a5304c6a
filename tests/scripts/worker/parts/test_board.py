"""offer.lua, take.lua and withdraw.lua: parts of proofs wait, each is taken once, and proofs take turns."""

from collections.abc import Callable
from typing import Any

import pytest

from services.jobs import names
from services.worker.parts.board import MOST_WAITING, OFFER, TAKE, TTL, WITHDRAW, offer_call, take_call, withdraw_call
from tests.scripts.conftest import Node, heard, run


def offer(node: Node, proof: str, *parts: bytes, first: int = 1, withdrawn: tuple[int, ...] = ()) -> Any:
    """Parts with the numbers from the first one on."""
    keys, arguments = offer_call(proof, dict(enumerate(parts, first)), withdrawn)
    return run(node.worker, OFFER, keys, *arguments)


def take(node: Node) -> Any:
    keys, arguments = take_call()
    taken = run(node.worker, TAKE, keys, *arguments)
    return taken and (taken[0].decode(), int(taken[1]), taken[2])


def withdraw(node: Node, proof: str) -> None:
    keys, arguments = withdraw_call(proof)
    run(node.worker, WITHDRAW, keys, *arguments)


def every_key(node: Node) -> list[bytes]:
    return list(node.admin.keys("*"))


def test_what_is_offered_is_taken_once_in_its_order(node: Node) -> None:
    assert offer(node, "w:1", b"a", b"b") == 2
    assert offer(node, "w:1", b"c", first=9) == 3
    assert [take(node) for _ in range(4)] == [("w:1", 1, b"a"), ("w:1", 2, b"b"), ("w:1", 9, b"c"), None]
    assert every_key(node) == []


def test_proofs_take_turns_also_one_that_is_soon_empty(node: Node) -> None:
    offer(node, "long:1", *[b"l"] * 6)
    offer(node, "short:1", b"s")
    taken = []
    for _ in range(6):
        proof, *_ = take(node)
        taken.append(proof)
        if proof == "short:1":
            offer(node, "short:1", b"s")
    assert taken == ["long:1", "short:1"] * 3


def test_the_bell_rings_where_nothing_waited_and_no_more(node: Node) -> None:
    listener = node.listen(names.PARTS_BELL)
    offer(node, "w:1", b"a")
    offer(node, "w:1", b"b", first=2)
    offer(node, "w:2", b"c")
    assert heard(listener) == [(names.PARTS_BELL, b"")]
    while take(node):
        pass
    offer(node, "w:1")
    assert heard(listener) == []
    offer(node, "w:1", b"d")
    assert heard(listener) == [(names.PARTS_BELL, b"")]


def test_what_is_needed_no_longer_is_taken_back(node: Node) -> None:
    offer(node, "w:1", b"a", b"b", b"c")
    assert take(node) == ("w:1", 1, b"a")
    assert offer(node, "w:1", b"d", first=4, withdrawn=(1, 3)) == 2
    assert [take(node) for _ in range(3)] == [("w:1", 2, b"b"), ("w:1", 4, b"d"), None]
    offer(node, "w:1", b"e", first=5)
    assert offer(node, "w:1", withdrawn=(5,)) == 0
    assert every_key(node) == []


def test_parts_are_gone_soon_after_nobody_says_any_more_that_they_are_wanted(node: Node) -> None:
    offer(node, "w:1", b"a")
    keys = names.PARTS, names.parts("w:1"), names.payloads("w:1")
    for key in keys:
        assert TTL - 5 < node.admin.ttl(key) <= TTL
        node.admin.expire(key, 1)
    assert offer(node, "w:1") == 1
    for key in keys:
        assert TTL - 5 < node.admin.ttl(key) <= TTL


def test_no_more_wait_than_may(node: Node) -> None:
    assert offer(node, "w:1", *[b"a"] * (MOST_WAITING + 5)) == MOST_WAITING
    assert node.admin.hlen(names.payloads("w:1")) == MOST_WAITING


@pytest.mark.parametrize("gone", [names.parts, names.payloads])
def test_a_proof_whose_parts_are_gone_is_passed_over(node: Node, gone: Callable[[str], str]) -> None:
    for proof in ("gone:1", "gone:2", "w:1"):
        offer(node, proof, b"a", b"b")
    node.admin.delete(gone("gone:1"), gone("gone:2"))
    assert [take(node) for _ in range(3)] == [("w:1", 1, b"a"), ("w:1", 2, b"b"), None]
    assert node.admin.zcard(names.PARTS) == 0


def test_all_parts_of_a_proof_are_withdrawn_and_those_of_others_stay(node: Node) -> None:
    offer(node, "w:1", b"a", b"b")
    offer(node, "w:2", b"c")
    withdraw(node, "w:1")
    withdraw(node, "w:1")
    assert [take(node), take(node)] == [("w:2", 1, b"c"), None]
    assert every_key(node) == []


@pytest.mark.parametrize("spoiled", [names.PARTS, names.parts("w:1"), names.payloads("w:1")])
def test_what_is_of_another_type_is_forgotten(node: Node, spoiled: str) -> None:
    for act in (lambda: offer(node, "w:1", b"a"), lambda: take(node), lambda: withdraw(node, "w:1")):
        node.admin.flushall()
        offer(node, "w:1", b"a")
        node.admin.set(spoiled, "spoiled")
        act()
        offer(node, "w:1", b"b", first=2)
        taken = []
        while (part := take(node)) is not None:
            taken.append(part)
        assert taken[-1] == ("w:1", 2, b"b")
