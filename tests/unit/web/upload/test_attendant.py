"""Uploads that were abandoned are dropped, whatever Redis says in between."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError

from services.web.settings import WebSettings
from services.web.upload.attendant import Attendant
from services.web.upload.begins import Begins
from services.web.upload.registry import Registry
from services.web.upload.store import UploadStore
from services.web.upload.upload import Upload
from services.web.upload.watchers import Watchers
from services.web.upload.writer import UploadWriter


class Redis:
    """It cannot be reached once, and then notes whom it drops, and for which owner."""

    def __init__(self) -> None:
        self.away = True
        self.asked: list[tuple[str, str]] = []

    async def evalsha(self, digest: str, count: int, *rest: Any) -> int:
        id, owner = rest[count : count + 2]
        self.asked.append((id, owner))
        if self.away:
            self.away = False
            raise ConnectionError("away")
        return 1


@pytest.mark.parametrize(("outcome", "owner"), [("abandoned", "web"), ("failed", ""), ("busy", "")])
def test_what_was_abandoned_is_dropped_once_redis_can_be_reached(outcome: str, owner: str) -> None:
    async def run() -> list[tuple[str, str]]:
        redis: Any = Redis()
        registry = Registry(Watchers(), 2)
        store = UploadStore(redis, WebSettings(), "web")
        attendant = Attendant(store, registry, UploadWriter(store, registry, Begins(0)))
        upload = Upload("id", keyed=True, client="192.0.2.1", pending={})
        registry.add(upload)
        attendant.abandon(upload, outcome)
        attendant.abandon(upload, outcome)  # by the end of its socket too
        with pytest.raises(ConnectionError):
            await attendant._look_round()
        assert not attendant.done, "its process must not end before"
        await attendant._look_round()
        assert attendant.done and registry.active == []
        return redis.asked

    assert asyncio.run(run()) == [("id", owner)] * 2
