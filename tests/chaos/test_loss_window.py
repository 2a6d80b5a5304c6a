"""What Redis itself may forget: the processes hold the rest."""

import signal
import threading
import time
from pathlib import Path

import pytest
import redis

from tests.integration.redis_server import RedisServer
from tests.integration.waiting import wait_until


class Writer:
    """Appends entries one after another until Redis goes, and counts those that Redis acknowledged."""

    def __init__(self, server: RedisServer) -> None:
        self.acknowledged = 0
        self._server = server
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        try:
            while True:
                self._server.admin.xadd("entries", {"jobs": b"x" * 200})
                self.acknowledged += 1
        except redis.ConnectionError:
            return

    def join(self) -> None:
        self._thread.join(10)


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
def test_a_killed_redis_forgets_no_more_than_its_setting_allows(tmp_path: Path, appendfsync: str) -> None:
    server = RedisServer(tmp_path)
    try:
        server.start("--appendfsync", appendfsync)
        writer = Writer(server)
        began = time.monotonic()
        wait_until(lambda: writer.acknowledged > 2_000 and time.monotonic() - began > 2, "entries are written")
        server.stop(signal.SIGKILL)
        writer.join()
        rate = writer.acknowledged / (time.monotonic() - began)
        server.start()
        forgotten = max(0, writer.acknowledged - int(server.admin.xlen("entries")))
    finally:
        server.close()
    print(
        f"appendfsync {appendfsync}: acknowledged {writer.acknowledged}, forgotten {forgotten}, {forgotten / rate:.3f} s of writing"
    )
    assert forgotten <= (0 if appendfsync == "always" else 2 * rate)  # Redis delays a write by up to 2 s while the disk is busy
