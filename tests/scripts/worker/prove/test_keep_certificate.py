"""keep_certificate.lua: a certificate is kept, and the oldest go while all take too much."""

import zlib
from typing import Any

from services.jobs import names
from services.worker.prove.keep import KEEP_CERTIFICATE, keep_call
from tests.scripts.conftest import Node, run

TTL = 600  # s
AMPLE = 1 << 20  # bytes
SIZE = len(zlib.compress(b"primo")) + len(zlib.compress(b"pari"))  # bytes of one


def keep(node: Node, sha256: str, most: int = AMPLE) -> Any:
    keys, arguments = keep_call(sha256, b"primo", b"pari", TTL, most)
    return run(node.worker, KEEP_CERTIFICATE, keys, *arguments)


def kept(node: Node) -> set[str]:
    """The certificates that are there; those that the set names are the same."""
    there = {key.decode().rpartition(":")[2] for key in node.admin.keys(names.certificate("*"))}
    assert {sha256.decode() for sha256 in node.admin.zrange(names.CERTIFICATES, 0, -1)} == there
    return there


def keep_before(node: Node, *digests: str) -> None:
    """Keep these, the first one first: each a second older than the next."""
    for age, sha256 in enumerate(reversed(digests), 1):
        keep(node, sha256)
        node.admin.zadd(names.CERTIFICATES, {sha256: node.admin.time()[0] * 1000 - age * 1000})


def test_both_texts_are_kept_for_a_time(node: Node) -> None:
    before = node.admin.time()[0]
    assert keep(node, "a") == SIZE
    texts = {b"primo": zlib.compress(b"primo"), b"pari": zlib.compress(b"pari"), b"bytes": str(SIZE).encode()}
    assert node.admin.hgetall(names.certificate("a")) == texts
    assert TTL - 5 < node.admin.ttl(names.certificate("a")) <= TTL
    assert before * 1000 <= node.admin.zscore(names.CERTIFICATES, "a") <= (node.admin.time()[0] + 1) * 1000


def test_others_stay_while_all_together_take_no_more_than_they_may(node: Node) -> None:
    keep_before(node, "a", "b")
    assert keep(node, "c", most=3 * SIZE) == 3 * SIZE
    assert kept(node) == {"a", "b", "c"}


def test_the_oldest_go_when_all_together_take_too_much(node: Node) -> None:
    keep_before(node, "a", "b", "c")
    assert keep(node, "d", most=3 * SIZE - 1) == 4 * SIZE
    assert kept(node) == {"c", "d"}


def test_the_new_one_stays_though_it_alone_takes_too_much(node: Node) -> None:
    keep_before(node, "a")
    assert keep(node, "b", most=1) == 2 * SIZE
    assert kept(node) == {"b"}


def test_one_that_expired_is_forgotten_and_takes_nothing(node: Node) -> None:
    keep_before(node, "a", "b")
    node.admin.delete(names.certificate("b"))
    assert keep(node, "c", most=2 * SIZE) == 2 * SIZE
    assert kept(node) == {"a", "c"}


def test_one_that_is_kept_again_counts_once_and_is_the_newest(node: Node) -> None:
    keep_before(node, "a", "b")
    assert keep(node, "a", most=2 * SIZE) == 2 * SIZE
    assert node.admin.zrange(names.CERTIFICATES, 0, -1) == [b"b", b"a"]
