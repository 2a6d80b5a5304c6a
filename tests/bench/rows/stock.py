"""What most people would write: stock Tornado that answers in the handler: `python -m tests.bench.rows.stock PORT [ADDRESS]`."""

import asyncio
import sys

import uvloop
from flint import fmpz
from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketHandler

BACKLOG = 1_024  # as our web processes have


class Answering(WebSocketHandler):
    """One socket. Without TCP_NODELAY, as Tornado has it by default: with it a client of 32 messages costs half as much again."""

    def check_origin(self, origin: str) -> bool:
        return True

    def on_message(self, message: str | bytes) -> None:
        try:
            number = int(message)
        except ValueError:
            self.write_message("Invalid input")
        else:
            self.write_message("is a prime number" if fmpz(number).is_prime() else "is not a prime number")


async def serve(port: int, address: str = "127.0.0.1") -> None:
    """Until the process is ended."""
    server = HTTPServer(Application([(r"/chatsocket", Answering)]), xheaders=True)
    server.listen(port, address, backlog=BACKLOG)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), *sys.argv[2:]))
