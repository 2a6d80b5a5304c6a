"""find.lua: the chunk of a line."""

import pytest

from services.jobs.chunks import HEAD
from services.web.upload.store import FIND
from tests.scripts.conftest import Node, run
from tests.scripts.web.upload.uploads import UPLOAD, keep

FIRSTS = (1, 501, 502, 900)  # first lines of the chunks


def find(node: Node, line: int) -> int:
    reply: int = run(node.web, FIND, [UPLOAD], line)
    return reply


@pytest.mark.parametrize(
    ("line", "chunk"), [(1, 0), (500, 0), (501, 1), (502, 2), (899, 2), (900, 3), (2**32, 3)]
)  # fmt: skip
def test_the_chunk_that_holds_the_line(node: Node, line: int, chunk: int) -> None:
    keep(node, chunks=len(FIRSTS))
    node.admin.hset(UPLOAD, mapping={str(number): HEAD.pack(first) + b"rest" for number, first in enumerate(FIRSTS)})
    assert find(node, line) == chunk


def test_no_chunk_behind_one_that_has_no_outcome(node: Node) -> None:
    keep(node, chunks=len(FIRSTS))
    node.admin.hset(UPLOAD, mapping={"0": HEAD.pack(1), "1": HEAD.pack(501)})
    assert find(node, 900) == 1


@pytest.mark.parametrize("chunks", [None, 0, 1])
def test_the_first_chunk_where_there_is_no_other(node: Node, chunks: int | None) -> None:
    if chunks is not None:
        keep(node, chunks=chunks)
    assert find(node, 900) == 0
