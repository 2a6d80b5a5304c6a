"""About what Python can reach: picows that answers in the callback: `python -m tests.bench.rows.picows PORT`."""

import sys

import uvloop
from flint import fmpz
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

BACKLOG = 1_024  # as our web processes have


class Answering(WSListener):
    """One socket."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            try:
                number = int(frame.get_payload_as_ascii_text())
            except ValueError:
                transport.send(WSMsgType.TEXT, b"Invalid input")
            else:
                transport.send(WSMsgType.TEXT, b"is a prime number" if fmpz(number).is_prime() else b"is not a prime number")
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


def listen(request: WSUpgradeRequest) -> WSListener:
    """Whoever asks is let in."""
    return Answering()


async def serve(port: int) -> None:
    """Until the process is ended."""
    server = await ws_create_server(listen, "127.0.0.1", port, backlog=BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
