"""The uploads of this process: those that it reads, and those that it has read and whose outcomes it still waits for."""

import contextlib
from collections.abc import Iterable, Iterator

from prometheus_client import Counter, Gauge

from services.web.upload.store import NoRoom
from services.web.upload.upload import Upload
from services.web.upload.watchers import Watchers

ENDED = Counter("primes_web_uploads_total", "Uploads by what became of them in this process", ["outcome"])
ACTIVE = Gauge("primes_web_uploads_active", "Uploads that are read, or have chunks without an outcome")
OUTCOMES = ("read", "abandoned", "lost", "failed", "busy", "repeated")
for _outcome in OUTCOMES:
    ENDED.labels(_outcome)


class Registry:
    """Who is active, and how each one ends. Asks Redis nothing."""

    def __init__(self, watchers: Watchers, most: int) -> None:
        """`most`: uploads at once."""
        self._watchers = watchers
        self._most = most
        self._active: dict[str, Upload] = {}
        self._beginning: list[str] = []  # clients of those that are about to be active
        ACTIVE.set_function(lambda: len(self._active))

    @property
    def active(self) -> list[Upload]:
        """All of them now."""
        return list(self._active.values())

    @contextlib.contextmanager
    def place(self, client: str) -> Iterator[None]:
        """A place for an upload that is about to begin: a client may have as many as are free. Raises NoRoom."""
        taken = [*self._beginning, *(upload.client for upload in self._active.values())]
        if len(taken) + taken.count(client) >= self._most:
            raise NoRoom(f"{len(taken)} uploads are under way in this process, {taken.count(client)} of them of this client")
        self._beginning.append(client)
        try:
            yield
        finally:
            self._beginning.remove(client)

    def add(self, upload: Upload) -> None:
        """It has begun."""
        self._active[upload.id] = upload

    def hear(self, payload: bytes) -> None:
        """Take a notice: a chunk has its outcome, or an upload was deleted."""
        id, _, number = payload.decode().partition(" ")
        if (upload := self._active.get(id)) is not None:
            if number:
                self.settle(upload, [int(number)])
            else:
                self.lose(upload)
        self._watchers.tell(id)

    def settle(self, upload: Upload, numbers: Iterable[int]) -> None:
        """These chunks have their outcomes."""
        for number in numbers:
            upload.answered += upload.pending.pop(number, None) is not None
        upload.news.set()
        self._retire(upload)

    def seal(self, upload: Upload) -> None:
        """It was read to its end."""
        self._stop_reading(upload, "read")
        self._retire(upload)

    def lose(self, upload: Upload) -> None:
        """Redis holds it no longer."""
        if upload.reading:
            self._stop_reading(upload, "lost")
        self._end(upload, gone=True)

    def give_up(self, upload: Upload, outcome: str) -> bool:
        """It will not be read to its end; False when it is read no more."""
        if not upload.reading:
            return False
        self._stop_reading(upload, outcome)
        self._end(upload, gone=True)
        return True

    def _stop_reading(self, upload: Upload, outcome: str) -> None:
        ENDED.labels(outcome).inc()
        upload.reading = False

    def _retire(self, upload: Upload) -> None:
        """Follow it no longer, if all was read and answered."""
        if not upload.reading and not upload.pending:
            self._end(upload, gone=False)

    def _end(self, upload: Upload, *, gone: bool) -> None:
        upload.gone = upload.gone or gone
        self._active.pop(upload.id, None)
        upload.news.set()
        self._watchers.tell(upload.id)
