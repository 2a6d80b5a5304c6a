"""What a real Redis refuses for a while, and by what: each lasts for the length of a block. The last ones need a cluster's node."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis.exceptions import ClusterDownError, ConnectionError, MovedError, ResponseError

from services.broker.connection import BusyError
from services.jobs import names
from services.jobs.names import Lane
from tests.integration.redis_server import RedisServer
from tests.integration.waiting import wait_until
from tests.ports import free_port

ALL_SLOTS = 0, 16_383  # of a cluster
THRESHOLD = 20  # ms that a script runs until Redis says that it is busy


@contextmanager
def without_replicas(server: RedisServer) -> Iterator[None]:
    """NOREPLICAS."""
    server.admin.config_set("min-replicas-to-write", 1)
    yield
    server.admin.config_set("min-replicas-to-write", 0)


@contextmanager
def replica(server: RedisServer, stale: str = "yes") -> Iterator[None]:
    """READONLY: it follows a master that is not there."""
    server.admin.config_set("replica-serve-stale-data", stale)
    server.follow_nobody_there()
    yield
    server.lead()


@contextmanager
def stale_replica(server: RedisServer) -> Iterator[None]:
    """MASTERDOWN: it does not serve what may be outdated."""
    with replica(server, "no"):
        yield


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    """OOM."""
    room = server.admin.config_get("maxmemory")["maxmemory"]
    server.admin.config_set("maxmemory", 1)
    yield
    server.admin.config_set("maxmemory", room)


@contextmanager
def busy(server: RedisServer) -> Iterator[None]:
    """BUSY: somebody's script does not end."""
    server.admin.config_set("busy-reply-threshold", THRESHOLD)
    script = threading.Thread(target=_run_for_ever, args=(server,))
    script.start()
    wait_until(lambda: _says(server, BusyError), "Redis says that it is busy")
    try:
        yield
    finally:
        server.admin.script_kill()
        script.join()


def _run_for_ever(server: RedisServer) -> None:
    with suppress(ResponseError, ConnectionError), server.another_admin() as admin:  # killed at last
        admin.eval("while true do end", 0)


def _says(server: RedisServer, refusal: type[ResponseError]) -> bool:
    try:
        server.raw("XLEN", names.stream(Lane.QUICK))
    except ResponseError as error:
        return isinstance(error, refusal)
    return False


def start_clustered(server: RedisServer) -> None:
    """As the only node of a cluster, which has all slots."""
    server.start("--cluster-enabled", "yes", "--port", str(free_port()), "--cluster-port", str(free_port()))
    take_slots(server)


def take_slots(server: RedisServer) -> None:
    """All of them, whoever has them."""
    with suppress(ResponseError):  # nobody has some
        server.raw("CLUSTER", "DELSLOTSRANGE", *ALL_SLOTS)
    server.raw("CLUSTER", "ADDSLOTSRANGE", *ALL_SLOTS)
    wait_until(lambda: b"cluster_state:ok" in server.raw("CLUSTER", "INFO"), "the cluster is whole")


@contextmanager
def without_slots(server: RedisServer) -> Iterator[None]:
    """CLUSTERDOWN: no node has the slot."""
    server.raw("CLUSTER", "DELSLOTSRANGE", *ALL_SLOTS)
    wait_until(lambda: _says(server, ClusterDownError), "Redis says that the cluster is down")
    yield
    take_slots(server)


@contextmanager
def moved(server: RedisServer) -> Iterator[None]:
    """MOVED: another node has the slots for a while."""
    with other_node(server) as other:
        server.raw("CLUSTER", "DELSLOTSRANGE", *ALL_SLOTS)
        take_slots(other)
        wait_until(lambda: _says(server, MovedError), "Redis says that the slot has moved")
        yield
        other.raw("CLUSTER", "DELSLOTSRANGE", *ALL_SLOTS)
        take_slots(server)


@contextmanager
def other_node(server: RedisServer) -> Iterator[RedisServer]:
    """Another node of the same cluster, without slots."""
    other = RedisServer(Path(tempfile.mkdtemp(prefix="other", dir=Path(server.data).parent)))
    try:
        port, bus = free_port(), free_port()
        other.start("--cluster-enabled", "yes", "--port", str(port), "--cluster-port", str(bus))
        server.raw("CLUSTER", "MEET", "127.0.0.1", port, bus)
        wait_until(lambda: all(b"cluster_known_nodes:2" in each.raw("CLUSTER", "INFO") for each in (server, other)), "they met")
        yield other
        server.raw("CLUSTER", "FORGET", other.raw("CLUSTER", "MYID"))
    finally:
        other.close()
