"""Asks until SIGTERM: `python -m services.canary`."""

import asyncio
import logging
import random
import signal
import sys

import uvloop
from prometheus_client import Counter, Histogram

from services.canary.questions import Judgement, questions
from services.canary.round import Round
from services.canary.settings import CanarySettings
from services.jobs.names import Lane
from services.runtime import endpoints
from services.runtime.logs import log_to_stderr
from services.runtime.settings import load, refuse
from services.runtime.tasks import Parts
from services.runtime.watchdog import watch

log = logging.getLogger("services.canary")

CHECKS = Counter("primes_canary_checks_total", "Questions of the canary, by what became of them", ["lane", "question", "outcome"])
SECONDS = Histogram(
    "primes_canary_seconds",
    "From opening a socket to the last answer over it, where all came",
    ["lane"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20),
)
_draw = random.Random()
_checks = {
    (lane, question.id, outcome): CHECKS.labels(lane, question.id, outcome)
    for lane in Lane
    for question in questions(lane, _draw)
    for outcome in Judgement
}
_seconds = {lane: SECONDS.labels(lane) for lane in Lane}


def count(lane: Lane, done: Round) -> None:
    """Put a round into the metrics, and its troubles into the log."""
    for question, outcome in done.outcomes.items():
        _checks[lane, question.id, outcome].inc()
    if not {Judgement.NONE, Judgement.WAITS}.intersection(done.outcomes.values()):
        _seconds[lane].observe(done.seconds)
    for trouble in done.troubles:
        log.warning("%s lane: %s", lane, trouble)


async def sing(lane: Lane, settings: CanarySettings) -> None:
    """One round after the other in a lane, until cancelled; a slow one puts the next off, so that rounds never pile up:
    a lane that is busy has one costly question of the canary at most.

    The first comes an interval after the start, since the whole stack may be starting.
    """
    while True:
        await asyncio.sleep(settings.interval(lane))
        done = Round(settings.canary_url, settings.timeout(lane), questions(lane, _draw))
        await done.run()
        count(lane, done)


async def serve(settings: CanarySettings) -> None:
    """Ask until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        # Ready as soon as it asks: what it finds is not its own health.
        endpoints.serve(settings.metrics_port, settings.metrics_address, "canary", lambda: "")
    except OSError as error:
        refuse("python -m services.canary", [f"--metrics-port {settings.metrics_port}: {error.strerror}"])
    paces = settings.canary_interval, settings.canary_costly_interval
    log.info("asks %s every %g s, costly numbers every %g s, metrics on %d", settings.canary_url, *paces, settings.metrics_port)
    async with Parts() as tasks:
        singing = (sing(lane, settings) for lane in Lane)  # each by itself: one that waits keeps no other from asking
        services = [tasks.create_task(service) for service in (*singing, watch(settings.watchdog))]
        await stop.wait()
        for service in services:
            service.cancel()


def main() -> None:
    """Read the settings and ask."""
    settings = load(CanarySettings, "python -m services.canary", sys.argv[1:])
    log_to_stderr(settings)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
