"""Starts, serves and drains a web process: `python -m services.web --port 8000`."""

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.process import cpu_count, fork_processes
from tornado.web import Application, url

from services.access.probes import probes
from services.broker import term
from services.broker.connection import connect
from services.broker.rights import Rights
from services.runtime import endpoints, telemetry
from services.runtime.logs import log_to_stderr
from services.runtime.pressure import Pressure
from services.runtime.settings import MOST_PORT, load, refuse
from services.runtime.tasks import Parts, end_all_others
from services.runtime.tether import tether
from services.runtime.watchdog import watch
from services.web.drain import Drain
from services.web.http.certificate import CertificateHandler, CheckHandler
from services.web.http.certificate_child import CertificateChildren
from services.web.http.description import Description
from services.web.http.handler import JSONHandler, NotFound
from services.web.http.hello import Hello
from services.web.http.primes import FactorsOf, NextPrime, PreviousPrime, Primes
from services.web.instance import Instance
from services.web.operators import dead_letters, figures
from services.web.operators.access import read_access
from services.web.settings import WebSettings
from services.web.shares import Shares
from services.web.socket import MAX_MESSAGE, ChatSocket
from services.web.sockets.heartbeat import beat
from services.web.upload.answer import AnswerHandler
from services.web.upload.receive import PreviewHandler, ReceiveHandler

if TYPE_CHECKING:
    from services.runtime.tracing import Tracing
    from services.web.tracing.traces import Traces

log = logging.getLogger("services.web")

METRICS_OFFSET = 1_000  # the metrics port is the clients' port plus this, unless set
BACKLOG = 1_024  # connections that wait to be accepted: when one web process dies, its clients come to the others at once
HTTP_END = 1  # second for connections of HTTP, on which nothing is under way by then


class Web:
    """One instance: its sockets, its jobs, its end."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._redis = connect(settings, term.begin)
        self._dead_letters = read_access(settings)
        self._rights = Rights(connect(settings), probes("web"))
        self._tracing, traces = _trace(settings)
        self._instance = Instance(self._redis, settings, traces)
        self._clients: set[ChatSocket] = set()
        self._requests: set[JSONHandler] = set()  # HTTP requests under way
        self._shares = Shares(settings.client_share, Pressure().look)
        self._children = CertificateChildren()
        self._draining = False
        self._stop = asyncio.Event()

    def ready(self) -> str:
        """What keeps new clients from being served here; empty if nothing does."""
        if self._draining:
            return "draining"
        return self._rights.obstacle or ("" if self._instance.pulse.fresh else "Redis does not answer")

    def application(self) -> Application:
        """The routes for clients."""
        dispatcher, settings = self._instance.dispatcher, self._settings
        sessions, shares = self._instance.sessions, self._shares
        sockets = {"dispatcher": dispatcher, "sessions": sessions, "settings": settings, "sockets": self._clients, "shares": shares}
        uploads = {"uploads": self._instance.uploads, "settings": settings}
        certificates = {"children": self._children, "redis": self._redis}
        return Application(
            [
                url(r"/", Hello),
                url(r"/chatsocket", ChatSocket, sockets),
                url(r"/primes/(.*)/next", NextPrime, {"dispatcher": dispatcher, "settings": settings}),
                url(r"/primes/(.*)/previous", PreviousPrime, {"dispatcher": dispatcher, "settings": settings}),
                url(r"/primes/(.*)/factors", FactorsOf, {"dispatcher": dispatcher, "settings": settings}),
                url(r"/primes/(.*)", Primes, {"dispatcher": dispatcher, "settings": settings}),
                url(r"/certificates", CheckHandler, certificates),
                url(r"/certificates/(.*)", CertificateHandler, certificates),
                url(r"/jobs", ReceiveHandler, uploads),
                url(r"/jobs/preview", PreviewHandler, uploads),
                url(r"/jobs/([^/]*)", AnswerHandler, uploads),
                url(r"/openapi.yaml", Description, {"name": "openapi.yaml"}),
                url(r"/asyncapi.yaml", Description, {"name": "asyncapi.yaml"}),
                *endpoints.health_routes(self.ready),
            ],
            default_handler_class=NotFound,
            websocket_max_message_size=MAX_MESSAGE,
            requests=self._requests,
            shares=shares,
            log_function=lambda handler: None,  # nginx writes the access log; faults are logged with their stack
        )

    async def serve(self, sockets: list[socket.socket], metrics_port: int) -> None:
        """Serve until SIGTERM or SIGINT, then drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        server = HTTPServer(self.application(), xheaders=self._settings.behind_proxy, max_header_size=endpoints.MOST_HEADERS)
        server.add_sockets(sockets)
        try:
            page = [
                *figures.routes(self._settings.prometheus_url, self._settings.instance),
                *dead_letters.routes(self._dead_letters),
            ]
            told = {"behind_proxy": self._settings.behind_proxy, "exemplars": self._tracing is not None}
            endpoints.serve(metrics_port, self._settings.address, "web", self.ready, *page, **told)
        except OSError as error:
            refuse("python -m services.web", [f"--metrics-port {metrics_port}: {error.strerror}"])
        log.info("serves clients on port %d, metrics on %d", sockets[0].getsockname()[1], metrics_port)
        async with Parts() as tasks:
            for service in (self._carry(), beat(self._clients, self._settings.ping), watch(self._settings.watchdog)):
                tasks.create_task(service)
            await self._stop.wait()
            await self._drain(server)
            await end_all_others()
        await self._dead_letters.close()
        await self._redis.aclose()
        if self._tracing is not None:
            self._instance.end_traces()
            await self._tracing.close()

    async def _carry(self) -> None:
        """Carry jobs and answers, once Redis lets this process do so; until then it serves as it does without Redis."""
        if await self._rights.wait(self._stop):
            await self._instance.run()

    async def _drain(self, server: HTTPServer) -> None:
        """Take no new clients, send those that are here elsewhere, answer or hand over what was asked."""
        self._draining = True
        server.stop()
        self._shares.lift()
        self._instance.dispatcher.hasten()
        await Drain(self._clients, self._requests, self._instance.handed_over, self._settings.drain).run()
        try:
            await asyncio.wait_for(server.close_all_connections(), HTTP_END)
        except TimeoutError:
            log.warning("some connections did not close in %d s", HTTP_END)


def _trace(settings: WebSettings) -> "tuple[Tracing | None, Traces | None]":
    """The way of spans to their collector, and what begins them; nothing of it is imported where nothing is traced."""
    if not settings.traces:
        return None, None
    tracing = telemetry.trace(settings.traces, "web", settings.instance)
    from services.web.tracing.head import Head  # noqa: PLC0415
    from services.web.tracing.traces import Traces  # noqa: PLC0415

    return tracing, Traces(tracing.tracer, Head(settings.trace_sample))


def main() -> None:
    """Read the settings, take the ports, fork if asked, serve."""
    settings = load(WebSettings, "python -m services.web", sys.argv[1:])
    log_to_stderr(settings)
    try:
        sockets = bind_sockets(settings.port, settings.address, backlog=BACKLOG)
    except OSError as error:
        refuse("python -m services.web", [f"--port {settings.port}: {error.strerror}"])
    metrics_port = settings.metrics_port if settings.metrics_port is not None else sockets[0].getsockname()[1] + METRICS_OFFSET
    count = settings.processes or cpu_count()
    require_ports(metrics_port, count if metrics_port else 1, settings.address)
    if settings.processes != 1:
        family = Family()
        child = fork_processes(count)
        family.join()
        settings = settings.model_copy(update={"instance": f"{settings.instance}-{child}"})
        log_to_stderr(settings)
        metrics_port += child if metrics_port else 0
    uvloop.run(start(settings, sockets, metrics_port))


def require_ports(first: int, count: int, address: str) -> None:
    """End the program when so many ports from this one on cannot be taken: a forked process that could not have its own would be
    started again and again.
    """
    for port in range(first, first + count):
        if port > MOST_PORT:
            refuse("python -m services.web", [f"--metrics-port {port}: Expected a port up to {MOST_PORT}"])
        try:
            for taken in bind_sockets(port, address):
                taken.close()
        except OSError as error:
            refuse("python -m services.web", [f"--metrics-port {port}: {error.strerror}"])


class Family:
    """The first process and those that it forks: a SIGTERM that it gets ends all of them.

    A Ctrl-C reaches all by itself; to send them a second signal while they end would look like a crash, and they would be started
    again.
    """

    def __init__(self) -> None:
        self._parent = os.getpid()
        self._ending = False
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))

    def join(self) -> None:
        """In a process that was forked: end with the first one, at once where that is ending already."""
        tether(self._parent, signal.SIGTERM)
        if self._ending:  # it was started in the place of one that died meanwhile
            sys.exit(0)

    def _end(self, *_: object) -> None:
        if os.getpid() != self._parent:  # which does not serve yet
            sys.exit(0)
        self._ending = True
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)


async def start(settings: WebSettings, sockets: list[socket.socket], metrics_port: int) -> None:
    """Everything that needs the event loop."""
    await Web(settings).serve(sockets, metrics_port)


if __name__ == "__main__":
    main()
