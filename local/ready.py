"""Waits until every process is ready, nginx included, and prints where to go: `python -m local.ready HTTP_PORT OPERATORS_PORT`."""

import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from local import ports

BOUND = 60  # seconds for the whole stack; it takes about 3 on two idle cores
PAUSE = 0.1  # seconds between two attempts


def main() -> None:
    """Wait, print the addresses; end with status 1 and the reason if that takes too long."""
    http_port = int(sys.argv[1])
    deadline = time.monotonic() + BOUND
    # nginx last: it would leave alone, for a while, a web process that it found closed.
    for port in (*ports.METRICS, http_port):
        while complaint := _complaint(port):
            if time.monotonic() > deadline:
                sys.exit(f"not ready within {BOUND} s: port {port} says {complaint}")
            time.sleep(PAUSE)
    print(f"http://127.0.0.1:{http_port}/  ws://127.0.0.1:{http_port}/chatsocket  for operators: http://127.0.0.1:{sys.argv[2]}/")


def _complaint(port: int) -> str:
    """What is wrong with the process behind the port; empty if it is ready."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return "" if response.status == HTTPStatus.OK else f"{response.status} {response.read().decode(errors='replace').strip()}"
    except (OSError, HTTPException) as error:
        return str(error) or repr(error)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
