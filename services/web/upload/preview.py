"""What the beginning of a file is taken for, before all of it is sent: its form, how many numbers, and the first few."""

import asyncio
from collections.abc import Iterator
from typing import Any

from lists.decoder import Decoder
from lists.item import Item, Unreadable
from lists.reader import Reader
from lists.rows import Lines
from services.web.shares import BYTE, Share
from services.web.upload.inflater import MAGIC, BrokenGzip, Inflater, TooDense
from services.web.upload.intake import TURN, Rejection

MOST_BYTES = 64 << 10  # of a body: some thousand lines, in which a form shows, and which are read in some 10 ms
MOST_TEXT = 2 * MOST_BYTES  # bytes that are looked at of what a compressed one holds
MOST_NUMBERS = 5_000  # that are counted; a template of a few bytes may stand for a million
FIRST = 5  # numbers that are told
MOST_SHOWN = 1_000  # characters of each of them

TOO_LARGE = Rejection(413, "body_too_large", f"Expected at most {MOST_BYTES:,} bytes of a file to be looked at; more came")


class Preview:
    """Takes the beginning of a file as an Intake takes all of one, and queues nothing. Holds MOST_BYTES."""

    def __init__(self, share: Share, column: str, *, whole: bool) -> None:
        """`share`: of its client; `column`: of CSV; `whole`: whether the body is the file, and no part of it."""
        self._share = share
        self._whole = whole
        self._reader = Reader(column)
        self._body = bytearray()
        self._compressed = False
        self._numbers = 0
        self._first: list[dict[str, Any]] = []
        self._enough = False  # whether more is not counted
        self.rejection: Rejection | None = None

    @property
    def overrun(self) -> bool:
        """Whether more came than is looked at."""
        return len(self._body) > MOST_BYTES

    async def begin(self, key: str, *, compressed: bool) -> None:
        """Nothing is kept under the key."""
        self._compressed = compressed

    async def take(self, data: bytes) -> None:
        """The next piece of the body."""
        if not self.overrun:
            self._body += data
        if self.overrun:
            self.reject(TOO_LARGE)

    async def end(self) -> str:
        """The body is over; there is no upload, so no id."""
        if self.rejection:
            return ""
        try:
            await self._read()
        except (BrokenGzip, Unreadable) as error:
            self.reject(Rejection(400, "bad_request", str(error)))
        except TooDense as error:
            self.reject(Rejection(413, "body_too_large", str(error)))
        return ""

    @property
    def told(self) -> dict[str, Any]:
        """JSON of what was found."""
        form = self._reader.form
        named = {} if form is None or isinstance(form, Lines) else {"form": form.name}
        return {**named, "numbers": self._numbers, "complete": self._whole and not self._enough, "first": self._first}

    def reject(self, rejection: Rejection) -> None:
        """The first reason is the one that is told."""
        self.rejection = self.rejection or rejection

    def leave(self) -> None:
        """The client left; nothing is to be undone."""

    async def _read(self) -> None:
        loop, share = asyncio.get_running_loop(), self._share
        text = self._open()
        share.left -= len(text) * BYTE
        turn = loop.time()
        for items in self._take(text):
            for item in share.meter(items):
                self._count(item)
                if self._enough:
                    return
                if loop.time() - turn > TURN or share.left <= 0:
                    await share.turn()
                    turn = loop.time()

    def _open(self) -> bytes:
        """The text in UTF-8, without the line that the part ends in. Raises BrokenGzip, TooDense."""
        body = bytes(self._body)
        if self._compressed or body.startswith(MAGIC):
            body = self._inflate(body)
        decoder = Decoder()
        text = decoder.feed(body) + (decoder.end() if self._whole else b"")
        if self._whole:
            return text
        end = text.rfind(b"\n") + 1 or max(text.rfind(mark) for mark in (b",", b" ", b"\t")) + 1
        return text[:end] or text

    def _inflate(self, body: bytes) -> bytes:
        inflater, text = Inflater(), b""
        for piece in inflater.feed(body):
            text += piece
            if len(text) >= MOST_TEXT:
                self._whole = False
                return text
        if self._whole:
            inflater.end()
        return text

    def _take(self, text: bytes) -> Iterator[Iterator[Item]]:
        """The items of each line. Raises Unreadable."""
        lines = text.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for number, line in enumerate(lines, 1):
            yield self._reader.take(number, line.rstrip(b"\r").decode(errors="replace"))
        if self._whole or self._reader.form is None:
            yield self._reader.end()

    def _count(self, item: Item) -> None:
        if not (item.text or item.error):
            return
        if self._numbers == MOST_NUMBERS:
            self._enough = True
            return
        self._numbers += 1
        if len(self._first) < FIRST:
            text = item.text if len(item.text) <= MOST_SHOWN else f"{item.text[:MOST_SHOWN]}…"
            self._first.append({"line": item.line, "text": text} if item.text else {"line": item.line, "error": item.error})
