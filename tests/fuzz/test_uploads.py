"""Bodies of uploads: gzip as Python's own module reads it, and lines that are all accounted for wherever the pieces end."""

import gzip
import re
import zlib

from hypothesis import example, given
from hypothesis import strategies as st

from lists.item import Item, Unreadable
from lists.rows import Lines
from lists.syntax import is_empty
from services.jobs.chunks import Chunk
from services.web.upload import candidate
from services.web.upload.cutter import Cutter
from services.web.upload.inflater import PIECE, BrokenGzip, Inflater, TooDense
from tests.fuzz.sentences import check_sentence

MOST = 1_000  # digits

lines = st.one_of(
    st.integers(-(10**25), 10**25).map(lambda n: b"%d" % n),
    st.integers(0, 10**400).map(lambda n: b"%d" % n),
    st.integers(0, 10**9).map(lambda n: b"%d\\" % n),
    st.sampled_from(
        [
            *(b"", b" ", b"\r", b"97\r", b"abc", b"\xff", "٧".encode(), b"1_000", b"+7"),
            *(b"9" * 1_001, b"0" * 70_000, b"7" * 70_000),
            *(b"\\", b"\\\\", b"7\\\r"),
        ]
    ),
)
bodies = st.lists(lines, max_size=15).map(b"\n".join) | st.binary(max_size=200)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@st.composite
def compressed(draw: st.DrawFn) -> bytes:
    """Members, perhaps with zeros behind them, and perhaps with some bytes that are others."""
    level = draw(st.integers(0, 9))
    data = bytearray()
    for body in draw(st.lists(bodies, max_size=3)):
        data += gzip.compress(body, level, mtime=0) + bytes(draw(st.sampled_from([0, 0, 1, 512])))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


def inflate(data: bytes, size: int) -> bytes | None:
    """The text, or None where it is refused."""
    inflater, text = Inflater(), b""
    try:
        for piece in pieces(data, size):
            for part in inflater.feed(piece):
                assert len(part) <= PIECE
                text += part
        inflater.end()
    except (BrokenGzip, TooDense) as error:
        check_sentence(error)
        return None
    return text


@given(compressed() | st.binary(max_size=100), st.sampled_from([1, 7, 100, 1 << 20]))
def test_gzip_is_read_as_python_reads_it(data: bytes, size: int) -> None:
    try:
        expected = gzip.decompress(data) if data else None
    except (OSError, EOFError, zlib.error):
        expected = None
    assert inflate(data, size) == expected


def cut(data: bytes, size: int) -> tuple[list[Chunk], int, int] | None:
    """Chunks, lines and answers; None where the text is refused."""
    cutter, chunks = Cutter(MOST), []
    try:
        for piece in pieces(data, size):
            chunks += [chunk for _, chunk, _ in cutter.feed(piece)]
        chunks += [chunk for _, chunk, _ in cutter.end()]
    except Unreadable as error:
        check_sentence(error)
        return None
    return chunks, cutter.lines, cutter.answers


@given(bodies, st.sampled_from([1, 7, 100, 5_000]))
@example(b"7" * 1_000_000, 1 << 16)
@example(b"\n" * 300_000, 1 << 16)
@example(b"\r\n" * 100_000, 3)
@example(b"97\n# a comment\n91", 7)
@example(b"9\\\n7\n\\\r\n8\\\\\n\\", 1)
def test_every_line_is_answered_once_wherever_the_pieces_end(data: bytes, size: int) -> None:
    found = cut(data, size)
    assert found == cut(data, 1 << 20)
    if found is None:
        return
    chunks, counted, answers = found
    text = data.removeprefix("\ufeff".encode())
    told = text.removesuffix(b"\n").split(b"\n") if text else []
    assert counted == len(told)
    whole = re.sub(rb"(?<!\\)\\\r?\n", b"", b"\n".join(told))  # a number goes on behind a backslash, not behind two
    assert answers == sum(not is_empty(line.decode(errors="replace")) for line in whole.split(b"\n"))
    at = 1
    for chunk in chunks:
        assert chunk.first >= at
        at = chunk.first + chunk.text.count("\n") + 1
    assert at <= counted + 1


words = [
    "97",
    "-12",
    "2^127-1",
    "1/3",
    "7-7",
    "1,000",
    "5 -3",
    "31 #",
    "# c",
    "// x",
    "\\\\ y",
    "; z",
    "97 # c",
    "97;",
    "1_000",
    "M127",
    "abc",
]
marks = [
    "\\",
    "7\\",
    " ",
    "\t",
    "\r",
    "\xa0",
    "\x85",
    "\u2028",
    "\x0b",
    "\ufeff",
    "\u200b",
    "٧",
    "\u2212",
    "+",
    "0",
    "^",
    "(",
    "!",
    "_",
]
texts = st.lists(st.lists(st.sampled_from(words + marks), max_size=5).map("".join), max_size=8).map("\n".join)


@given(texts)
@example("9\\ \n 7")
def test_an_upload_is_read_as_the_reader_of_lists_reads_it(text: str) -> None:
    assert by_cutter(text) == by_reader(text)


Line = tuple[str, str]  # "number" and which, or "error" and its code


def by_reader(text: str) -> dict[int, Line] | str:
    """What is on each line that is not blank, or why the text cannot be read."""
    reader, found = Lines(), list[Item]()
    lines = text.removesuffix("\n").split("\n") if text else []
    try:
        for number, line in enumerate(lines, 1):
            found += reader.take(number, line)
        found += reader.end()
    except Unreadable as error:
        return str(error)
    told = {item.line: ("error", "not_an_integer") for item in found if item.error}
    for item in found:
        if item.text:
            read = candidate.read(item.text, MOST)
            told[item.line] = ("error", read.code) if read.code else ("number", read.number)
    return told


def by_cutter(text: str) -> dict[int, Line] | str:
    """The same of an upload."""
    cutter = Cutter(MOST)
    try:
        chunks = [cut.chunk for cut in [*cutter.feed(text.encode()), *cutter.end()]]
    except Unreadable as error:
        return str(error)
    told = {chunk.first + at: ("number", str(int(line))) for chunk in chunks for at, line in enumerate(chunk.lines) if line}
    return told | {chunk.first + refusal.index: ("error", refusal.code) for chunk in chunks for refusal in chunk.refused}
