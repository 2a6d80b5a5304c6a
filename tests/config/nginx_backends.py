"""What stands behind nginx in its tests: web processes in small, some that die of each request, and a DNS server."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

T = TypeVar("T")
S = TypeVar("S", "WebProcess", "DyingProcess", "Names")


class Backends:
    """The servers of one test, on an event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._running: list[WebProcess | DyingProcess | Names] = []

    def web(self, port: int = 0, address: str = "127.0.0.1") -> "WebProcess":
        return self._start(WebProcess.start(port, address))

    def dying(self, reset: bool = False) -> "DyingProcess":
        return self._start(DyingProcess.start(reset))

    def names(self) -> "Names":
        return self._start(Names.start())

    def stop(self, server: "WebProcess | DyingProcess | Names") -> None:
        """End it with its connections, as if it had been killed."""
        self._running.remove(server)
        self._run(server.stop())

    def close(self) -> None:
        for server in list(self._running):
            self.stop(server)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def _start(self, starting: Coroutine[Any, Any, S]) -> S:
        server = self._run(starting)
        self._running.append(server)
        return server

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


class WebProcess:
    """A web process in small: Tornado behind a proxy, as the real one is, that keeps what reached it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = 0
        self.requests: list[HTTPServerRequest] = []
        self.connections: set[tuple[str, int]] = set()  # the proxy's side of each
        self.body_bytes = 0  # of the upload under way
        self.released = threading.Event()  # lets the second half of an answer go
        self._server: HTTPServer | None = None

    @classmethod
    async def start(cls, port: int, address: str, ping: float | None = None) -> "WebProcess":
        """At any port if 0; pings its WebSockets every `ping` seconds, if any."""
        web = cls(address)
        routes = [
            (r"/chatsocket", Socket),
            (r"/jobs", Upload),
            (r"/jobs/.+", Listing),
            (r"/late", Late),
            (r"/busy", Busy),
            (r".*", Mirror),
        ]
        application = Application([(path, handler, {"web": web}) for path, handler in routes], websocket_ping_interval=ping)
        web._server = HTTPServer(application, xheaders=True)
        web._server.listen(port, address)
        web.port = next(iter(web._server._sockets.values())).getsockname()[1]
        return web

    async def stop(self) -> None:
        assert self._server
        self._server.stop()
        await self._server.close_all_connections()


class Handler(RequestHandler):
    """What all answers have in common: the request is kept before it is handled."""

    def initialize(self, web: WebProcess) -> None:
        self.web = web

    def prepare(self) -> None:
        self.web.requests.append(self.request)
        self.web.connections.add(self.request.connection.stream.socket.getpeername())  # type: ignore[union-attr]


class Mirror(Handler):
    """Tells the client what reached the web process."""

    def answer(self) -> None:
        seen = {"method": self.request.method, "ip": self.request.remote_ip, "scheme": self.request.protocol}
        self.write(seen | {"uri": self.request.uri, "body": len(self.request.body), "headers": dict(self.request.headers)})

    get = post = delete = answer


class Busy(Handler):
    """An error of the web process itself."""

    def get(self) -> None:
        self.set_status(503)
        self.set_header("Retry-After", "7")
        self.finish({"error": {"code": "busy", "message": "Too many jobs.", "retryable": True}})


class Late(Handler):
    """Never answers."""

    async def get(self) -> None:
        await asyncio.Event().wait()


@stream_request_body
class Upload(Handler):
    """Counts an upload while it comes; then answers in two halves."""

    def data_received(self, chunk: bytes) -> None:
        self.web.body_bytes += len(chunk)

    async def post(self) -> None:
        await self.flush_line(f"{self.web.body_bytes} bytes")
        await asyncio.to_thread(self.web.released.wait, 10)
        await self.flush_line("done")

    def get(self) -> None:
        self.write({"body": self.web.body_bytes})

    async def flush_line(self, line: str) -> None:
        self.write(line + "\n")
        await self.flush()


class Listing(Handler):
    """A list of two lines, the second of which comes late."""

    async def get(self) -> None:
        self.set_header("X-Accel-Buffering", "no")
        self.write("1\n")
        await self.flush()
        await asyncio.to_thread(self.web.released.wait, 10)
        self.write("2\n")


class Socket(WebSocketHandler):
    """Says each message back."""

    def initialize(self, web: WebProcess) -> None:
        self.web = web

    def open(self) -> None:
        self.web.requests.append(self.request)

    def on_message(self, message: str | bytes) -> None:
        self.write_message(f"{self.web.port} {message!s}")


class DyingProcess:
    """A web process that every request kills: it reads the head of the request and closes without an answer."""

    def __init__(self, reset: bool) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self._reset = reset
        self._server: asyncio.Server | None = None

    @classmethod
    async def start(cls, reset: bool) -> "DyingProcess":
        dying = cls(reset)
        dying._server = await asyncio.start_server(dying._serve, "127.0.0.1", 0)
        dying.port = dying._server.sockets[0].getsockname()[1]
        return dying

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # only a connection, no request
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        if self._reset:
            linger_no_time = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_no_time)
        writer.close()

    async def stop(self) -> None:
        assert self._server
        self._server.close()


class Names(asyncio.DatagramProtocol):
    """A DNS server for a handful of names, as Docker's is: a container that is gone has no name."""

    def __init__(self) -> None:
        self.port = 0
        self.addresses: dict[str, str] = {}  # several are separated by spaces

    @classmethod
    async def start(cls) -> "Names":
        transport, names = await asyncio.get_running_loop().create_datagram_endpoint(cls, ("127.0.0.1", 0))
        names.port = transport.get_extra_info("sockname")[1]
        return names

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    async def stop(self) -> None:
        self._transport.close()

    def datagram_received(self, query: bytes, client: tuple[str | Any, int]) -> None:
        question = query[12 : query.index(b"\0", 12) + 5]
        addresses = self.addresses.get(".".join(_labels(question)), "").split()
        code = 0 if addresses else 3  # no such name
        header = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(addresses), 0, 0)
        records = [struct.pack("!HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(address) for address in addresses]
        self._transport.sendto(header + question + b"".join(records), client)


def _labels(question: bytes) -> Iterator[str]:
    while length := question[0]:
        yield question[1 : 1 + length].decode()
        question = question[1 + length :]


async def main() -> None:
    """One web process in small as a process, which tells its port: that it can be stopped, as a machine that vanishes is."""
    web = await WebProcess.start(0, "127.0.0.1", ping=0.1)
    print(web.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
