"""Ends a process whose event loop stands still, and measures how late the loop runs."""

import asyncio
import faulthandler
import time

from prometheus_client import Histogram

INTERVAL = 0.25  # seconds between looks: short enough to see a stall of 50 ms now and then, at no cost

LAG = Histogram(
    "primes_event_loop_lag_seconds",
    "How much later than asked the event loop ran a timer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


async def watch(seconds: float) -> None:
    """Keep putting off the end of this process; a loop that stops for `seconds` no longer does.

    The timer is the interpreter's own thread in C: it fires even while native code holds the GIL, prints every
    thread's stack and ends the process with status 1. Restarting it is the supervisor's part (compose, `make local`).

    It stays armed when this is cancelled: an end that hangs (before Python 3.12, asyncio.wait_for may swallow the
    cancellation by which a task group ends its tasks after one of them failed) is ended like a loop that hangs.
    """
    while True:
        faulthandler.dump_traceback_later(seconds, exit=True)
        due = time.monotonic() + INTERVAL
        await asyncio.sleep(INTERVAL)
        LAG.observe(max(0.0, time.monotonic() - due))
