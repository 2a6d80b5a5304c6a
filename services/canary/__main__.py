"""Asks until SIGTERM: `python -m services.canary`."""

import asyncio
import logging
import signal
import sys
import time

import msgspec
import uvloop
from prometheus_client import Counter, Histogram
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketError, websocket_connect

from services.canary.questions import QUESTIONS, Judgement, KnownNumber, judge, read, request
from services.canary.settings import CanarySettings
from services.runtime import endpoints
from services.runtime.logs import log_to_stderr
from services.runtime.settings import load, refuse
from services.runtime.watchdog import watch

log = logging.getLogger("services.canary")

CHECKS = Counter("primes_canary_checks_total", "Questions of the canary, by what became of them", ["question", "outcome"])
SECONDS = Histogram(
    "primes_canary_seconds",
    "From opening a socket to the last answer over it, where all came",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
_checks = {(question, outcome): CHECKS.labels(question.id, outcome) for question in QUESTIONS for outcome in Judgement}


class Round:
    """All questions over one new socket, since it is the way in that may be broken, for some clients and not for others."""

    def __init__(self, settings: CanarySettings) -> None:
        self._settings = settings
        self.outcomes = dict.fromkeys(QUESTIONS, Judgement.NONE)
        self.trouble = ""  # what kept answers from coming
        self.seconds = 0.0

    async def run(self) -> None:
        """Ask and wait, within the bound of the settings."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.canary_timeout):
                await self._ask()
        except TimeoutError:
            self.trouble = f"not all answers came within {self._settings.canary_timeout:g} s"
        except (OSError, HTTPClientError, WebSocketError, msgspec.DecodeError) as error:
            self.trouble = str(error) or repr(error)
        self.seconds = time.monotonic() - started

    async def _ask(self) -> None:
        asked = {question.id: question for question in QUESTIONS}
        asking = HTTPRequest(self._settings.canary_url, connect_timeout=self._settings.canary_timeout)
        socket = await websocket_connect(asking, subprotocols=["primes.v1"])
        try:
            for question in QUESTIONS:
                await socket.write_message(request(question, self._settings.canary_timeout))
            while asked:
                message = await socket.read_message()
                if message is None:
                    self.trouble = f"the socket was closed: {socket.close_code} {socket.close_reason or ''}"
                    return
                reply = read(message)
                known = asked.pop(str(reply.id), None)
                if known is not None:
                    self._take(known, message, judge(known, reply))
        finally:
            socket.close()

    def _take(self, question: KnownNumber, message: str | bytes, outcome: Judgement) -> None:
        self.outcomes[question] = outcome
        if outcome is not Judgement.RIGHT:
            self.trouble = f"asked for {question.number}, expected {question.id}, got {message[:500]!r}"


def count(done: Round) -> None:
    """Put a round into the metrics, and its trouble into the log."""
    for question, outcome in done.outcomes.items():
        _checks[question, outcome].inc()
    if Judgement.NONE not in done.outcomes.values():
        SECONDS.observe(done.seconds)
    if done.trouble:
        log.warning("%s", done.trouble)


async def sing(settings: CanarySettings) -> None:
    """One round after the other, until cancelled; a slow one puts the next off, so that rounds never pile up.

    The first comes an interval after the start, since the whole stack may be starting.
    """
    while True:
        await asyncio.sleep(settings.canary_interval)
        done = Round(settings)
        await done.run()
        count(done)


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
    log.info("asks %s every %g s, metrics on %d", settings.canary_url, settings.canary_interval, settings.metrics_port)
    async with asyncio.TaskGroup() as tasks:
        services = [tasks.create_task(service) for service in (sing(settings), watch(settings.watchdog))]
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
