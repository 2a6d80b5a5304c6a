"""Pings every WebSocket in turn and closes those whose peer is gone."""

import asyncio
import time
from collections.abc import Iterable
from typing import Protocol

# Intervals without a sign of life after which a peer is dead. It is looked at with every ping, so it is found within
# one interval more: 55 s, with an interval of 25. More patience would miss the minute and spare nobody: what pings alone
# keep alive was heard one interval ago, or two.
DEAD = 1.2
SLICE = 100  # sockets pinged before others get their turn: about 2 ms


class Beating(Protocol):
    """What a socket must be able to do."""

    def beat(self, now: float) -> None:
        """Ping the peer, or close the socket when it was silent for too long; `now` is time.monotonic()."""


async def beat(sockets: Iterable[Beating], interval: float) -> None:
    """Ping all sockets every so many seconds until cancelled.

    Tornado's own pings are a task a socket, and take a peer whose frames are not read for dead: back-pressure would
    close the sockets that it holds back.
    """
    while True:
        await asyncio.sleep(interval)
        for number, socket in enumerate(list(sockets)):
            socket.beat(time.monotonic())
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
