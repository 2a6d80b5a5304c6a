"""What a socket takes of memory does not grow by a jump."""

import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, url
from websockets.asyncio.client import connect as open_socket
from websockets.typing import Subprotocol

from services.broker.connection import connect
from services.web.instance import Instance
from services.web.settings import WebSettings
from services.web.shares import Shares
from services.web.socket import ChatSocket

SHARED_KEYS = 30  # of CPython: where a class' instances have fewer attributes they share their keys, which is 1.3 KiB less for each


async def attributes(subprotocols: list[Subprotocol] | None) -> tuple[set[str], set[str]]:
    """In the dictionaries of an open socket's handler and protocol."""
    settings = WebSettings(instance="web0", redis_url="redis://127.0.0.1:1")
    instance = Instance(connect(settings), settings)
    sockets: set[ChatSocket] = set()
    parts = {"dispatcher": instance.dispatcher, "sessions": instance.sessions, "shares": Shares(1)}
    server = HTTPServer(Application([url(r"/chatsocket", ChatSocket, {**parts, "settings": settings, "sockets": sockets})]))
    (listening,) = bind_sockets(0, "127.0.0.1")
    server.add_socket(listening)
    async with open_socket(f"ws://127.0.0.1:{listening.getsockname()[1]}/chatsocket", subprotocols=subprotocols) as client:
        await client.ping()
        (handler,) = sockets
        found = set(vars(handler)), set(vars(handler.ws_connection))
    server.stop()
    return found


def test_a_socket_has_fewer_attributes_than_would_need_keys_of_their_own() -> None:
    for subprotocols in (None, [Subprotocol("primes.v1")]):
        for names in uvloop.run(attributes(subprotocols)):
            assert len(names) < SHARED_KEYS, sorted(names)
