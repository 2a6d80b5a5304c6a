"""How far the answers to an upload were told, in the order of its lines, and how their list ends. No I/O."""

from collections.abc import Iterator
from typing import Any

from services.jobs.chunks import unpack
from services.web.upload import ndjson, origins
from services.web.upload.formats import NDJSON, Format
from services.web.upload.store import Interrupted, Progress, Sealed

LOST = "The upload is no longer there: it was deleted, it expired, or Redis lost its data. Send it again"
INTERRUPTED = "The upload was not read to its end: the web process died, its client left, or Redis lost the end. Send it again"


class NoTexts(Exception):
    """The format tells the numbers of a plain list, and they were not kept."""


class AnswerList:
    """A list in some format. It is over when all was told, or when no more will come."""

    def __init__(self, after: int, number: int, format: Format = NDJSON) -> None:
        """`after`: the last line that the client has; `number`: the chunk of the next one, or an earlier chunk."""
        self._after = after
        self._format = format
        self._head = b"" if after else format.head  # which was not told
        self.number = number  # of the next chunk
        self.ended = False  # whether the list is over
        self.failure: tuple[str, str] | None = None  # why it will never be complete: a code, and a sentence

    @property
    def complete(self) -> bool:
        """Whether the client has all answers."""
        return self.ended and self.failure is None

    def blocks(self, progress: Progress | None) -> Iterator[bytes]:
        """What can be told now, some lines at a time. Iterate to the end before the next call. Raises NoTexts."""
        for outcome, packed in progress.outcomes if progress else ():
            kept = origins.unpack(packed)
            if kept is None and self._format.texts:
                raise NoTexts
            if text := self._format.render(unpack(outcome), self._after, kept):
                yield self._take_head() + text
            self.number += 1
        if (last := self._last(progress)) is not None:
            self.ended = True
            if text := (self._take_head() if self.complete else b"") + self._format.last(last):
                yield text

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head

    def _last(self, progress: Progress | None) -> dict[str, Any] | None:
        match progress:
            case None:
                return self._fail("lost", LOST)
            case Sealed() if self.number == progress.chunks:
                form = {"form": progress.form} if progress.form else {}
                return {"done": True, "lines": progress.lines, "answers": progress.answers, **form}
            case Interrupted() if self.number >= progress.chunks:  # more: an outcome came after Redis was set back
                return self._fail("interrupted", INTERRUPTED)
        return None

    def _fail(self, code: str, message: str) -> dict[str, Any]:
        self.failure = code, message
        return ndjson.error(code, message, retryable=True)
