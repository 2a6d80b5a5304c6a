"""Ports of 127.0.0.1 for servers that tests start."""

import itertools
import os
import random
import socket
from contextlib import suppress

# Below those that the kernel gives to outgoing connections, so that what is free stays so until the server listens.
PORTS = range(20_000, 32_000)
PROCESSES = 16  # of pytest side by side at most, each of which has ports of its own


def _mine() -> list[int]:
    """Those of this process, in an order of its own, since another run may be under way beside this."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    # every second one: the one behind it is for the second of two processes that one command starts
    ports = list(PORTS[2 * (number % PROCESSES) :: 2 * PROCESSES])
    random.SystemRandom().shuffle(ports)
    return ports


_ports = itertools.cycle(_mine())  # each comes up again only after all others


def free_port() -> int:
    """A port that nothing listens on."""
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the cycle never ends")
