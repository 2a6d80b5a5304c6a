"""Pings every WebSocket in turn and closes those whose peer is gone."""

import asyncio
import time
from collections.abc import Iterable
from typing import Protocol

INTERVAL = 25  # seconds between two pings of a socket: nginx cuts a silent one off after 200
DEAD = 45  # seconds without a sign of life; looked at with every ping, so a dead peer is found within 50
SLICE = 100  # sockets pinged before others get their turn: about 2 ms


class Beating(Protocol):
    """What a socket must be able to do."""

    def beat(self, now: float) -> None:
        """Ping the peer, or close the socket when it was silent for too long; `now` is time.monotonic()."""


async def beat(sockets: Iterable[Beating]) -> None:
    """Ping all sockets until cancelled.

    Tornado's own pings are a task a socket, and take a peer whose frames are not read for dead: back-pressure would
    close the sockets that it holds back.
    """
    while True:
        await asyncio.sleep(INTERVAL)
        for number, socket in enumerate(list(sockets)):
            socket.beat(time.monotonic())
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
