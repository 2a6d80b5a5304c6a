"""A long message on a slow line is a sign of life, as is any part of one."""

import itertools
import socket

from tests.integration.conftest import Front
from tests.integration.waiting import wait_until
from tests.integration.web.sockets.test_handshakes import handshake
from tests.unit.web.sockets.rfc6455 import CLOSE, frame

PINGS = 5  # of an interval of 2 s each: four times as long as a silent peer lives


def test_a_peer_that_is_still_sending_one_message_lives(manned: Front) -> None:
    web = manned.web("pinging", "--ping", "2")  # so long may the line stand still
    manned.wait_ready()
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as peer:
        peer.sendall(handshake())
        message = iter(frame(b" " * 100_000 + b"97"))
        read = b""
        peer.settimeout(0.05)  # the pace of the line
        while read.count(b"\x89\x00") < PINGS:
            peer.sendall(bytes(itertools.islice(message, 100)))
            try:
                read += peer.recv(1000)
            except TimeoutError:
                continue
            assert b"no pong" not in read
        peer.settimeout(30)
        peer.sendall(bytes(message) + frame(b"\x03\xe8", opcode=CLOSE))
        while part := peer.recv(1000):
            read += part
    assert b"no pong" not in read
    assert read.endswith(b"\x88\x02\x03\xe8")
    wait_until(lambda: web.metric("primes_web_connections") == 0, "its socket is gone")
