"""What an interrupted run leaves for the next one, in a file."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .conversation import Saved
from .questions import Question

VERSION = 2


class Unusable(Exception):
    """The file is no checkpoint, is in use, or belongs to other questions."""


class Checkpoint:
    """Session, how many questions were asked, and which of them are answered and printed.

    Holds positions, not numbers: the next run is given the same numbers again, and a digest tells whether it was. So it stays
    small, however many there are. Whoever reads the file has the session: it is its owner's alone.
    """

    def __init__(self, path: Path | None, kind: Mapping[str, Any]) -> None:
        """`path`: None for a run that leaves nothing; `kind`: what is asked about each number. Raises Unusable."""
        self.saved: Saved | None = None
        self.prefix = secrets.token_urlsafe(6)  # of ids: the same in all runs, so that a question keeps its id
        self.asked = 0  # by former runs
        self.failed = 0  # answers that are errors, of all runs
        self._path = path
        self._kind = json.dumps(kind, sort_keys=True)
        self._digest = hashlib.sha256(self._kind.encode())  # of all questions asked so far
        self._asked_digest = ""  # of those by former runs
        self._asked = 0  # by this run, those of former ones included
        self._open: set[int] = set()  # positions of those asked, by any run, that are not answered: few, however many are
        self._lock = -1
        if path is not None:
            self._load(path)

    @property
    def done(self) -> int:
        """How many questions are answered."""
        return max(self._asked, self.asked) - len(self._open)

    def has(self, position: int) -> bool:
        """Whether this question is answered and its answer printed."""
        return position <= max(self._asked, self.asked) and position not in self._open

    def ask(self, question: Question) -> None:
        """The question, the next in order, is to be asked now. Raises Unusable when former runs asked others."""
        self._digest.update(f"\n{question.number}".encode())
        self._asked = question.position
        if self._asked > self.asked:
            self._open.add(self._asked)
        if self._asked == self.asked and self._digest.hexdigest() != self._asked_digest:
            raise Unusable(f"{self._path}: it belongs to other numbers; delete it, or give the same numbers again")

    def note(self, position: int, *, failed: bool) -> None:
        """The answer to this question is printed."""
        self._open.remove(position)
        self.failed += failed

    def save(self, saved: Saved | None) -> None:
        """Write it, whole or not at all. Raises Unusable."""
        if self._path is None or self._asked < self.asked:  # not even the former run's questions have come yet
            return
        state = {
            "version": VERSION,
            "kind": self._kind,
            "prefix": self.prefix,
            "session": saved and saved.session,
            "offset": saved and saved.offset,
            "asked": self._asked,
            "digest": self._digest.hexdigest(),
            "open": sorted(self._open),
            "failed": self.failed,
        }
        try:
            self._replace(self._path, json.dumps(state).encode())
        except OSError as error:
            raise Unusable(f"{self._path}: {error.strerror}") from None

    def _replace(self, path: Path, text: bytes) -> None:
        part = path.with_name(path.name + ".part")
        lock = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # before it has its name: nobody else can have it
            with os.fdopen(lock, "wb", closefd=False) as file:
                file.write(text)  # all of it: os.write() may write a part, and say no more than that, where a disk is full
            part.replace(path)
        except OSError:
            os.close(lock)
            part.unlink(missing_ok=True)
            raise
        os.close(self._lock)
        self._lock = lock

    def close(self) -> None:
        """Let others use the file; an empty one that nothing was written to goes."""
        if self._lock >= 0:
            if self._path is not None and os.fstat(self._lock).st_size == 0:
                self._path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1

    def _load(self, path: Path) -> None:
        try:
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if not stat.S_ISREG(os.fstat(self._lock).st_mode):  # a device would be replaced, and a pipe never ends
                raise Unusable(f"{path}: expected a file, got something else")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._lock).st_ino != path.stat().st_ino:
                raise BlockingIOError  # another run has put a new one in its place
            text = path.read_bytes()
        except BlockingIOError:
            raise Unusable(f"{path}: another run uses it") from None
        except OSError as error:
            raise Unusable(f"{path}: {error.strerror}") from None
        if text:
            self._restore(path, text)

    def _restore(self, path: Path, text: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            state = json.loads(text)
            if state["version"] == VERSION:
                if state["kind"] != self._kind:
                    raise Unusable(
                        f"{path}: it belongs to other options, {state['kind']}; delete it, or give the same options again"
                    )
                if state["session"]:
                    self.saved = Saved(state["session"], state["offset"])
                self.prefix, self._asked_digest = str(state["prefix"]), str(state["digest"])
                self.asked, self.failed, self._open = int(state["asked"]), int(state["failed"]), set(map(int, state["open"]))
                return
        raise Unusable(f"{path}: expected a file that --resume made, got something else")
