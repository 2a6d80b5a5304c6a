"""A redis-server of the test's own: the repository's redis.conf, the ACL that `services.access` makes, a Unix socket.

All tests follow two variables: TEST_REDIS_SERVER is the path or the name of the server to take, instead of the one that
`make local` takes; TEST_REDIS_CLUSTER=1 makes each server the one node of a cluster, unless a test needs replicas.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local import programs
from services.jobs import names
from services.jobs.names import GROUP, Lane
from tests.integration.processes import ROOT, Program
from tests.integration.waiting import wait_until
from tests.ports import free_port

SLOTS = 16_384  # of a Redis cluster
FILES = "appendonlydir"  # Redis' own name for the folder of its append-only files
ADMIN = "for the tests alone"  # password of a user that the product does not have


@cache
def find() -> Path:
    """The server that was asked for, or that `make local` takes; skips the test where there is none."""
    sought = programs.REDIS
    if asked := os.environ.get("TEST_REDIS_SERVER"):
        wheels = {wheel: name for wheel, name in sought.wheels.items() if name == asked}
        sought = replace(sought, name=asked, wheels=wheels)
    try:
        return programs.find(sought).path
    except programs.NotFound as error:
        pytest.skip(str(error))


class RedisServer:
    """Starts, breaks and comes back; `admin` may do everything, as no user of the product may."""

    def __init__(self, directory: Path, code: Path = ROOT, *, clustered: bool | None = None) -> None:
        """`code`: the checkout whose users Redis gets. `clustered`: whether it is a cluster of itself alone; None: as asked for."""
        self._clustered = os.environ.get("TEST_REDIS_CLUSTER") == "1" if clustered is None else clustered
        self._binary = find()
        self._short = Path(tempfile.mkdtemp(prefix="primes-"))  # a socket's path has at most 107 bytes
        self._data = directory / "redis"
        self._data.mkdir()
        self._log = directory / "redis.log"
        self._access = directory / "access"
        self._acl = directory / "users.acl"
        self.make_users(code)
        self.socket = self._short / "redis.sock"
        self.environment: Mapping[str, str] = {}  # what the server gets beside the test's own
        self.program: Program | None = None
        self.admin = self.client("admin", ADMIN)
        self._raw = self.another_admin()
        self._raw.response_callbacks.clear()

    def make_users(self, code: Path = ROOT, *options: str) -> None:
        """Write the file of users, and the tests' own user into it; Redis reads it when it starts, or by ACL LOAD."""
        subprocess.run([sys.executable, "-m", "services.access", self._access, *options], cwd=code, check=True, capture_output=True)
        digest = hashlib.sha256(ADMIN.encode()).hexdigest()
        self._acl.write_text((self._access / "redis" / "users.acl").read_text() + f"user admin on #{digest} ~* &* +@all\n")

    def client(self, user: str, password: str | None = None) -> Any:
        """A client that is one of the ACL's users."""
        secret = self.password_file(user).read_text().strip() if password is None else password
        return self.anybody(username=user, password=secret)

    def anybody(self, **options: Any) -> Any:
        """A client that says who it is, or does not."""
        return redis.Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0), **options)

    def another_admin(self) -> Any:
        """Speaks RESP2, over a connection of its own, and waits for a reply as long as it takes."""
        return self.anybody(username="admin", password=ADMIN, protocol=2, socket_timeout=None)

    def raw(self, *command: str | bytes | int) -> Any:
        """The reply to a command of the admin's, as RESP2 has it."""
        return self._raw.execute_command(*command)

    def password_file(self, user: str) -> Path:
        return self._access / user / "password"

    @property
    def operators_access(self) -> Path:
        """What a web process needs for the dead letters."""
        return self._access / "operators"

    def start(self, *options: str) -> None:
        """Start with the data that is there, and wait until it is loaded."""
        command = [self._binary, ROOT / "redis" / "redis.conf", "--port", "0", "--unixsocket", self.socket]
        command += ["--dir", self._data, "--aclfile", self._acl]
        if self._clustered:
            command += ["--cluster-enabled", "yes", "--port", free_port(), "--cluster-port", free_port()]
        self.program = Program("redis", [str(word) for word in (*command, *options)], self._log, self.environment)
        wait_until(self.admin.ping, "Redis answers")
        if self._clustered:
            self._take_all_slots()

    def _take_all_slots(self) -> None:
        """What a managed service calls cluster mode without shards; a node that comes back with its data has them already."""
        if self.admin.execute_command("CLUSTER INFO")["cluster_slots_assigned"] == "0":
            self.admin.execute_command("CLUSTER ADDSLOTSRANGE", 0, SLOTS - 1)
        wait_until(lambda: self.admin.execute_command("CLUSTER INFO")["cluster_state"] == "ok", "the cluster is whole")

    def follow_nobody_there(self) -> None:
        """Make it a replica of a server that does not exist, until `lead`; skips the test in a cluster."""
        if self._clustered:
            pytest.skip("the node of a cluster is made a replica by the cluster alone")
        self.admin.replicaof("127.0.0.1", free_port())

    def lead(self) -> None:
        """It is the primary again."""
        self.admin.replicaof("NO", "ONE")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it with this signal; its data stays."""
        assert self.program
        self.program.send(number)
        self.program.wait()

    def wipe(self) -> None:
        """Delete its data."""
        shutil.rmtree(self._data)
        self._data.mkdir()

    def remember(self) -> None:
        """Put its append-only files as they are now aside, for `set_back`."""
        shutil.copytree(self._data / FILES, self._short / FILES)

    def set_back(self) -> None:
        """End it, and start it with what it had when it was told to remember, as after a crash of its machine."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self._data / FILES)
        shutil.move(self._short / FILES, self._data / FILES)
        self.start()

    def close(self) -> None:
        if self.program:
            self.program.close()
        shutil.rmtree(self._short)

    @property
    def data(self) -> Path:
        """Where its files are."""
        return self._data

    def length(self, lane: Lane) -> int:
        """Entries in a lane's stream, claimed or not."""
        return int(self.admin.xlen(names.stream(lane)))

    def held(self, instance: str, lane: Lane) -> int:
        """Entries of a lane that the worker of this name, or this very process of it ("first-123"), holds unanswered."""
        stream = names.stream(lane)
        if not self.admin.exists(stream):
            return 0
        claimed = self.admin.xpending_range(stream, GROUP, "-", "+", 10_000)
        mine = [each["message_id"] for each in claimed if each["consumer"].decode().startswith(f"{instance}-")]
        return sum(bool(self.admin.xrange(stream, id, id)) for id in mine)  # one that was deleted stays pending

    def dead_letters(self) -> list[dict[bytes, bytes]]:
        """What was set aside, oldest first."""
        return [fields for _, fields in self.admin.xrange(names.DEAD)]
