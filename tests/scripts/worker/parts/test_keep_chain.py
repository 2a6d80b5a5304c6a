"""keep_chain.lua: how far a proof has come is kept, and the oldest ones go where too many are."""

import pytest

from services.jobs import names
from services.worker.parts.keep import KEEP_CHAIN, digest, keep_chain_call
from tests.scripts.conftest import Node, run

TTL = 600  # s


def keep(node: Node, n: str, saved: bytes = b"saved", most: int = 3) -> None:
    keys, arguments = keep_chain_call(n, saved, TTL, most)
    run(node.worker, KEEP_CHAIN, keys, *arguments)


def kept(node: Node, *numbers: str) -> list[bytes | None]:
    return [node.admin.get(names.chain(digest(n))) for n in numbers]


def grow_older(node: Node) -> None:
    """Those that are kept, by a second."""
    for of, time in node.admin.zrange(names.CHAINS, 0, -1, withscores=True):
        node.admin.zadd(names.CHAINS, {of: time - 1000})


def test_a_chain_is_kept_for_a_time_and_the_last_one_counts(node: Node) -> None:
    keep(node, "7", b"a")
    keep(node, "7", b"b")
    assert kept(node, "7") == [b"b"]
    assert node.admin.zcard(names.CHAINS) == 1
    for key in (names.chain(digest("7")), names.CHAINS):
        assert TTL - 5 < node.admin.ttl(key) <= TTL


def test_the_oldest_go_where_too_many_are_kept(node: Node) -> None:
    for n in ("2", "3", "5", "2", "7"):
        keep(node, n)
        grow_older(node)
    assert kept(node, "2", "3", "5", "7") == [b"saved", None, b"saved", b"saved"]
    assert node.admin.zcard(names.CHAINS) == 3


@pytest.mark.parametrize("spoil", ["zset", "chain"])
def test_what_is_of_another_type_is_forgotten(node: Node, spoil: str) -> None:
    key = names.CHAINS if spoil == "zset" else names.chain(digest("7"))
    node.admin.rpush(key, "spoiled")
    keep(node, "7")
    assert kept(node, "7") == [b"saved"]
    assert node.admin.zcard(names.CHAINS) == 1
