"""The containers' health check tells a process that is ready from one that is not, is silent, or is not there."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

SCRIPT = Path(__file__).parents[2] / "services" / "runtime" / "healthcheck.sh"


def check(port: int) -> tuple[int, str]:
    """Status and output."""
    done = subprocess.run([SCRIPT, str(port)], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout


@contextmanager
def server(response: bytes | None) -> Iterator[int]:
    """The port of one that reads a request and answers this and no more, or keeps silent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                while b"\r\n\r\n" not in connection.recv(4_096, socket.MSG_PEEK):
                    pass
                assert connection.recv(4_096).startswith(b"GET /readyz HTTP/1.0\r\n")
                if response is None:
                    connection.recv(1)  # until the client has enough
                else:
                    connection.sendall(response)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n", (0, "ready\n\n")),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready: 200 jobs wait", (1, "not ready: 200 jobs wait\n")),
        (b"", (1, "\n")),
        (None, (1, "\n")),
    ],
    ids=["ready", "not ready", "closed", "silent"],
)
def test_tells_whether_a_process_is_ready_and_what_it_says(response: bytes | None, expected: tuple[int, str]) -> None:
    with server(response) as port:
        assert check(port) == expected


def test_a_process_that_is_not_there_is_not_ready() -> None:
    assert check(free_port())[0] == 1
