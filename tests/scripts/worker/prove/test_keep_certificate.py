"""keep_certificate.lua: a certificate is kept, and the oldest of its share go while they take too much."""

import zlib
from typing import Any

from services.jobs import names
from services.worker.prove.keep import EXTRA, KEEP_CERTIFICATE, keep_call
from tests.scripts.conftest import Node, run

TTL = 600  # s
AMPLE = 1 << 20  # bytes
SIZE = len(zlib.compress(b"primo")) + len(zlib.compress(b"pari")) + EXTRA  # bytes of one
SHARES = {True: (names.CERTIFICATES_ASKED, "asked"), False: (names.CERTIFICATES_UNASKED, "unasked")}


def keep(node: Node, sha256: str, most: int = AMPLE, *, asked: bool = True) -> Any:
    keys, arguments = keep_call(sha256, b"primo", b"pari", TTL, most, asked=asked)
    return run(node.worker, KEEP_CERTIFICATE, keys, *arguments)


def kept(node: Node, *, asked: bool = True) -> list[str]:
    """Those of a share, the oldest first; each is there, and their bytes are what the share says."""
    key, share = SHARES[asked]
    found = [member.decode().split() for member in node.admin.zrange(key, 0, -1)]
    assert all(node.admin.exists(names.certificate(sha256)) for sha256, _ in found)
    assert int(node.admin.hget(names.CERTIFICATES_BYTES, share) or 0) == sum(int(size) for _, size in found)
    return [sha256 for sha256, _ in found]


def keep_before(node: Node, *digests: str, asked: bool = True, age: int = 0) -> None:
    """Keep these, the first one first: each a second older than the next, and so many seconds more."""
    for older, sha256 in enumerate(reversed(digests), 1):
        keep(node, sha256, asked=asked)
        node.admin.zadd(SHARES[asked][0], {f"{sha256} {SIZE}": (node.admin.time()[0] - older - age) * 1000})


def test_both_texts_are_kept_for_a_time(node: Node) -> None:
    before = node.admin.time()[0]
    assert keep(node, "a") == SIZE
    texts = {b"primo": zlib.compress(b"primo"), b"pari": zlib.compress(b"pari"), b"bytes": str(SIZE).encode()}
    assert node.admin.hgetall(names.certificate("a")) == texts
    for key in (names.certificate("a"), names.CERTIFICATES_ASKED, names.CERTIFICATES_BYTES):
        assert TTL - 5 < node.admin.ttl(key) <= TTL
    assert before * 1000 <= node.admin.zscore(names.CERTIFICATES_ASKED, f"a {SIZE}") <= (node.admin.time()[0] + 1) * 1000


def test_others_stay_while_all_together_take_no_more_than_they_may(node: Node) -> None:
    keep_before(node, "a", "b")
    assert keep(node, "c", most=3 * SIZE) == 3 * SIZE
    assert kept(node) == ["a", "b", "c"]


def test_the_oldest_go_when_all_together_take_too_much(node: Node) -> None:
    keep_before(node, "a", "b", "c")
    assert keep(node, "d", most=3 * SIZE - 1) == 2 * SIZE
    assert kept(node) == ["c", "d"]
    assert not node.admin.exists(names.certificate("a"), names.certificate("b"))


def test_the_new_one_stays_though_it_alone_takes_too_much(node: Node) -> None:
    keep_before(node, "a")
    assert keep(node, "b", most=1) == SIZE
    assert kept(node) == ["b"]


def test_those_that_expired_are_forgotten_and_take_nothing(node: Node) -> None:
    keep_before(node, "a", "b", age=TTL)
    node.admin.delete(names.certificate("a"))
    assert keep(node, "c") == SIZE
    assert kept(node) == ["c"]


def test_one_that_is_kept_again_counts_once_and_is_the_newest(node: Node) -> None:
    keep_before(node, "a", "b")
    assert keep(node, "a", most=2 * SIZE) == 2 * SIZE
    assert kept(node) == ["b", "a"]


def test_what_nobody_asked_for_pushes_out_nothing_that_somebody_did(node: Node) -> None:
    keep_before(node, "a", "b")
    keep_before(node, "c", asked=False)
    assert keep(node, "d", most=SIZE, asked=False) == SIZE
    assert (kept(node), kept(node, asked=False)) == (["a", "b"], ["d"])


def test_one_that_was_made_unasked_and_is_asked_for_changes_its_share(node: Node) -> None:
    keep_before(node, "a", asked=False)
    assert keep(node, "a") == SIZE
    assert (kept(node), kept(node, asked=False)) == (["a"], [])


def test_one_that_was_asked_for_stays_in_that_share_though_it_is_proven_unasked_again(node: Node) -> None:
    keep_before(node, "a", "b")
    assert keep(node, "a", asked=False) == 2 * SIZE
    assert (kept(node), kept(node, asked=False)) == (["b", "a"], [])


def test_what_the_former_release_knew_of_certificates_goes_in_their_time(node: Node) -> None:
    node.admin.zadd(names.CERTIFICATES_FORMER, {"a": 1})
    keep(node, "b")
    assert TTL - 5 < node.admin.ttl(names.CERTIFICATES_FORMER) <= TTL
    node.admin.expire(names.CERTIFICATES_FORMER, 9)
    keep(node, "c")
    assert node.admin.ttl(names.CERTIFICATES_FORMER) <= 9
