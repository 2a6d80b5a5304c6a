"""The ways of jobs through a web process and a worker, with neither network nor Redis, for whoever counts their instructions:

`python -m tests.bench.paths LIBRARY DIRECTORY WAY…`. What nginx, Redis and the other part would send is in a file of DIRECTORY for
each way; what goes out is packed, and read by nobody. A socket is a real one, after a real handshake; each read of it is handed to
its transport. LIBRARY is `count.c`.
"""

import asyncio
import contextlib
import ctypes
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, url

from services.broker.client import Command, pack
from services.broker.connection import connect
from services.jobs.names import Lane
from services.web.instance import Instance
from services.web.queue.enqueue import arrange
from services.web.queue.ledger import Ledger, Place
from services.web.settings import WebSettings
from services.web.shares import Shares
from services.web.socket import MAX_MESSAGE, ChatSocket
from services.web.v1.peer import SUBPROTOCOL
from services.worker.claims import entries
from services.worker.claims.claim import JobsClaim
from services.worker.claims.finishing import Finishing
from services.worker.claims.leases import Leases
from services.worker.compute.answer import compute

INSTANCE = "web0"
WEB = f"{INSTANCE}-{'0' * 16}"  # stands in STEPS for the name that the web process gives itself
MOST_TURNS = 20  # of the loop, in which what is due is done
HANDSHAKE = (
    "GET /chatsocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


class Step(msgspec.Struct):
    """What comes to one web process, and then to a worker, because so many clients asked at once."""

    frames: list[bytes]  # of each client, as one read brings them
    answers: bytes  # what a worker publishes
    jobs: list[bytes]  # of each stream entry, for a worker


class Steps(msgspec.Struct):
    """All that happens; `sessions` stand in it for the clients' tokens, none for the plain protocol."""

    sessions: list[str]
    steps: list[Step]
    part: str  # that they come to
    counted: int  # steps, the last ones: before them all is as it will be


async def run_web(told: Steps, steps: Iterator[Step]) -> None:
    """Read, accept, write; hear the answers, settle, reply."""
    settings = WebSettings(instance=INSTANCE, redis_url="redis://127.0.0.1:1")
    instance = Instance(connect(settings), settings)
    sockets: set[ChatSocket] = set()
    shares = Shares(1)  # no bound: rounds follow each other at once
    parts = {"dispatcher": instance.dispatcher, "sessions": instance.sessions, "shares": shares}
    shared = {**parts, "settings": settings, "sockets": sockets}
    server = HTTPServer(Application([url(r"/chatsocket", ChatSocket, shared)], websocket_max_message_size=MAX_MESSAGE))
    listening = bind_sockets(0, "127.0.0.1")
    server.add_sockets(listening)
    clients, streams = [], []
    for number in range(len(told.steps[0].frames)):
        clients.append(await _connect(listening[0].getsockname()[1], SUBPROTOCOL if told.sessions else ""))
        (handler,) = (each for each in sockets if each._stream not in streams)
        streams.append(handler._stream)
        if told.sessions:
            told.sessions[number] = f"{told.sessions[number]} {handler._client._session.token}"
    named = [tuple(map(str.encode, each.split())) for each in told.sessions] + [(WEB.encode(), instance._name.encode())]
    ledger = instance.dispatcher._ledger
    hear = instance._answers.hear_deliveries if told.sessions else instance._answers.hear
    for number, step in enumerate(steps):
        for stream, frames in zip(streams, step.frames, strict=True):
            stream.data_received(frames)
        _write(ledger, instance, number)
        await asyncio.sleep(0)
        answers = step.answers
        for placeholder, name in named:
            answers = answers.replace(placeholder, name)
        hear(answers)
        if len(ledger):
            raise RuntimeError(f"{len(ledger)} jobs have no answer")
        await _hear(clients)


async def _connect(port: int, subprotocol: str) -> socket.socket:
    """A client's socket whose handshake is done."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    asked = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    await loop.sock_sendall(client, f"{HANDSHAKE}{asked}\r\n".encode())
    read = b""
    while b"\r\n\r\n" not in read or (subprotocol and not read.endswith(b"}")):
        if not (more := await loop.sock_recv(client, 1 << 16)):
            raise RuntimeError(f"the web process closed a connection after {read!r}")
        read += more
    for _ in range(MOST_TURNS):  # in which the connection moves to its transport
        await asyncio.sleep(0)
    return client


async def _hear(clients: Sequence[socket.socket]) -> None:
    """Take what was sent, in whichever turn of the loop that is."""
    silent = list(clients)
    for _ in range(MOST_TURNS):
        await asyncio.sleep(0)
        silent = [client for client in silent if not _take(client)]
        if not silent:
            return
    raise RuntimeError(f"{len(silent)} clients were sent nothing")


def _take(client: socket.socket) -> bool:
    """What was sent; returns whether that was something."""
    with contextlib.suppress(BlockingIOError):
        return bool(client.recv(1 << 20))
    return False


def _write(ledger: Ledger, instance: Instance, number: int) -> None:
    """What a write of quick jobs does, but for the way to Redis and back."""
    taken = ledger.take(Lane.QUICK)
    keys, arguments = arrange(Lane.QUICK, taken, instance.sessions, ledger.since, web=WEB, most_entries=1_000)
    pack(("EVALSHA", "0" * 40, len(keys), *keys, *arguments))
    places = [Place(Lane.QUICK, f"{number + 1}-{entry}".encode()) for entry in range(len(taken))]
    ledger.written(Lane.QUICK, taken, places)


class Broker:
    """Takes what is sent to Redis, as bytes."""

    def send(self, *commands: Command) -> "asyncio.Future[object]":
        """Done at once, as Redis says it."""
        for command in commands:
            pack(command)
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        done.set_result([0, 0] if len(commands) == 1 else [1, 1, 1])
        return done


async def run_worker(told: Steps, steps: Iterator[Step]) -> None:
    """Read, compute, answer."""
    leases = Leases()
    finishing = Finishing(None, Broker(), leases, "worker0")  # type: ignore[arg-type]  # what fails would need the first
    for step in steps:
        read = [
            entries.decode(Lane.QUICK, f"1-{number}".encode(), {b"reply": WEB.encode(), b"jobs": jobs}, 1, 2)
            for number, jobs in enumerate(step.jobs)
        ]
        claims = [claim for claim in read if isinstance(claim, JobsClaim)]
        leases.take(*claims)
        finishing.send(claims, [[compute(job, claim.queue_ms) for job in claim.jobs] for claim in claims], _fail)
        await asyncio.sleep(0)


def _fail() -> None:
    raise RuntimeError("the answers were refused")


def count(way: str, told: Steps, library: ctypes.CDLL) -> Iterator[Step]:
    """The steps of a way, with the last ones counted."""
    first = len(told.steps) - told.counted
    yield from told.steps[:first]
    library.begin()
    yield from told.steps[first:]
    library.end(way.encode())


def main(arguments: Sequence[str]) -> None:
    """Go these ways, one after the other."""
    library = ctypes.CDLL(arguments[0])
    for way in arguments[2:]:
        told = msgspec.msgpack.decode((Path(arguments[1]) / way).read_bytes(), type=Steps)
        uvloop.run({"web": run_web, "worker": run_worker}[told.part](told, count(way, told, library)))


if __name__ == "__main__":
    main(sys.argv[1:])
