"""Which of several requests the server cannot read, or closes the socket over: found by asking them one at a time."""

from collections.abc import Iterable

from .requests import CHECK


class Suspects:
    """Ids of requests without an answer, of which one or more may be at fault.

    Each is asked alone, and after it a check: a small request that any server answers at once. A server reads a socket's messages
    in order, so a request that is not refused before the check's answer comes is not at fault, however long its own answer takes.
    A check without a request comes first: what is refused before its answer was said before.
    """

    def __init__(self) -> None:
        self.tested: str | None = None  # asked, and its check has no answer
        self._ids: dict[str, None] = {}  # in the order in which they are asked
        self._check: str | None = None  # id of the check that has no answer
        self._made = 0
        self._ready = False  # whether the first check was answered

    def __bool__(self) -> bool:
        return bool(self._ids)

    def add(self, ids: Iterable[str]) -> None:
        """One of these is at fault. They are the first that are known, or the socket is over."""
        self._ids.update(dict.fromkeys(ids))
        self.restart()

    def restart(self) -> None:
        """Nothing that was said counts any more: over another socket, or after answers that this one lost."""
        self.tested = self._check = None
        self._ready = False

    def next(self) -> str | None:
        """Id of the check to be said now, if one is; `tested`, if it is not None, is to be asked before it."""
        if self._check is not None or not self._ids:
            return None
        self._made += 1
        self._check = f"{self._made}{CHECK}"
        self.tested = next(iter(self._ids)) if self._ready else None
        return self._check

    def hear(self, id: object) -> None:
        """A response with this id has come."""
        if id == self._check and id is not None:
            if self.tested is not None:
                self.drop(self.tested)
            self._check = None
            self._ready = True

    def drop(self, id: str) -> None:
        """This one is not at fault, or has failed."""
        self._ids.pop(id, None)
        if self.tested == id:
            self.tested = None
