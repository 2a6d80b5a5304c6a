"""Pings every WebSocket in turn and closes those whose peer is gone."""

import asyncio
import itertools
import time
from collections.abc import Collection
from typing import Protocol

# Intervals without a sign of life after which a peer is dead. It is looked at with every ping, so it is found within
# one interval more: 55 s, with an interval of 25. More patience would miss the minute and spare nobody: what pings alone
# keep alive was heard one interval ago, or two.
DEAD = 1.2
# Part of an interval by which a turn may be late. A later one tells of a standstill of this process, in which it read nothing: of
# its peers that tells nothing, and without this one of six seconds would end sockets whose peers live.
LATE = 0.1
PHASES = 50  # parts of an interval, each with its own sockets: 10,000 pings at once would hold up all else for a second


class Beating(Protocol):
    """What a socket must be able to do."""

    phase: int  # one after the other, so that each phase gets as many

    def beat(self, now: float) -> None:
        """Ping the peer, or close the socket when it was silent for too long; `now` is time.monotonic()."""

    def excuse(self, seconds: float, now: float) -> None:
        """Do not count these last seconds as silence of the peer."""


async def beat(sockets: Collection[Beating], interval: float) -> None:
    """Ping each socket every so many seconds until cancelled.

    Tornado's own pings are a task a socket, and take a peer whose frames are not read for dead: back-pressure would
    close the sockets that it holds back.
    """
    step, due = interval / PHASES, time.monotonic()
    for turn in itertools.count(1):  # the first socket of a process has its first ping after a whole interval
        # Late turns are made up for, at most a round of them: else a busy loop would stretch each interval until peers seem dead.
        asked = time.monotonic()
        due = max(due + step, asked - interval)
        await asyncio.sleep(due - asked)
        now = time.monotonic()
        if (late := now - max(due, asked)) > LATE * interval:
            for socket in sockets:
                socket.excuse(late, now)
        for socket in [socket for socket in sockets if socket.phase % PHASES == turn % PHASES]:
            socket.beat(now)
