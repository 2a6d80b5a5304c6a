"""Work beside the sessions: each piece in a thread of its own, until the block is left."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self


class Beside:
    """Its pieces go on until `over` is set; what failed in one fails when the block is left."""

    def __init__(self, *pieces: Callable[[], None]) -> None:
        self.over = threading.Event()
        self._pieces = pieces
        self._threads = ThreadPoolExecutor(len(pieces))

    def __enter__(self) -> Self:
        self._work = [self._threads.submit(piece) for piece in self._pieces]
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._threads.shutdown()
        for each in self._work:
            each.result()
