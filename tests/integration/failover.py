"""Three redis-servers, one of them the primary, and three Sentinels that choose another when it fails."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.integration.processes import ROOT, Program
from tests.integration.redis_server import find
from tests.integration.tls import Secrets, Terminator, is_built_in, own_options
from tests.integration.waiting import wait_until
from tests.ports import free_port

NAME = "primes"
DOWN_AFTER = 1_000  # ms of silence after which a Sentinel calls a server down
HOST = "127.0.0.1"


class Node:
    """One server, which keeps its port, its data and what Sentinels wrote into its configuration."""

    def __init__(self, name: str, directory: Path, secrets: Secrets | None) -> None:
        self.name, self.port = name, free_port()
        self._secrets = secrets
        self._terminator: Terminator | None = None
        self._directory = directory / name
        self._directory.mkdir()
        self._log = directory / f"{name}.log"
        self._settings = self._directory / "redis.conf"
        self.program: Program | None = None
        self._listening = ["--port", str(self.port)]
        if secrets and is_built_in():
            self._listening = ["--port", "0", "--tls-replication", "yes", *own_options(secrets, self.port)]
        elif secrets:
            inner = free_port()
            self._listening = ["--port", str(inner)]
            self._terminator = Terminator(self._directory, self.port, inner, secrets)

    def write(self, text: str) -> None:
        """Its configuration, which Sentinels and Redis change later."""
        self._settings.write_text(text)

    def announce(self, prefix: str) -> str:
        """What others are told of where it listens, which behind a terminator it does not know itself."""
        return f"{prefix}announce-ip {HOST}\n{prefix}announce-port {self.port}\n"

    def start(self, *options: str) -> None:
        """Start it, for the first time or again."""
        command = [str(find()), str(self._settings), *self._listening, "--bind", HOST, "--dir", str(self._directory)]
        self.program = Program(self.name, [*command, *options], self._log)

    def client(self, user: str, path: Path) -> Any:
        """A client of this very server."""
        password = path.read_text().strip()
        tls: dict[str, Any] = self._secrets.options if self._secrets else {}
        return redis.Redis(
            host=HOST, port=self.port, username=user, password=password, retry=Retry(NoBackoff(), 0), socket_timeout=2, **tls
        )

    def close(self) -> None:
        if self._terminator:
            self._terminator.close()
        if self.program:
            self.program.close()


class Failover:
    """Names its users as the product does: `services.access` makes them."""

    def __init__(self, directory: Path, secrets: Secrets | None = None) -> None:
        """Over TLS with `secrets`, which all sides show."""
        self._secrets = secrets
        self._access = directory / "access"
        subprocess.run([sys.executable, "-m", "services.access", self._access], cwd=ROOT, check=True, capture_output=True)
        self.nodes = [Node(f"redis{i}", directory, secrets) for i in range(3)]
        self.sentinels = [Node(f"sentinel{i}", directory, secrets) for i in range(3)]
        first = self.nodes[0]
        for node in self.nodes:
            node.write(self._node(follows=None if node is first else first) + node.announce("replica-"))
            node.start()
        for node in self.nodes:
            wait_until(lambda node=node: self._role(node) is not None, f"{node.name} answers")  # type: ignore[misc]
        wait_until(lambda: self._followers(first) == 2, "two replicas follow", 30)
        for sentinel in self.sentinels:
            sentinel.write(self._sentinel(first) + sentinel.announce("sentinel "))
            sentinel.start("--sentinel")
        wait_until(self._agreed, "Sentinels know each other and both replicas", 60)

    def password_file(self, user: str) -> Path:
        return self._access / user / "password"

    @property
    def url(self) -> str:
        """What web processes and workers are told."""
        return (
            ("rediss+" if self._secrets else "")
            + "sentinel://"
            + ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
            + f"/{NAME}"
        )

    def primary(self) -> Node:
        """The server that the first Sentinel that runs names."""
        port = self.named()
        return next(node for node in self.nodes if node.port == port)

    def named(self) -> int:
        """The port of the server that the first Sentinel that runs has among its primaries."""
        sentinel = next(each for each in self.sentinels if each.program and each.program.running)
        return int(self._ask(sentinel).sentinel_masters()[NAME]["port"])

    def wait_for_another(self, former: Node, seconds: float = 120) -> Node:
        """The server that took its place; a Sentinel that stood still for two seconds does nothing for half a minute."""
        wait_until(
            lambda: self.primary() is not former and self._role(self.primary()) == "master", "another is the primary", seconds
        )
        return self.primary()

    def choose_another(self) -> Node:
        """As an operator does before maintenance."""
        former = self.primary()
        self._ask(self.sentinels[0]).execute_command("SENTINEL", "FAILOVER", NAME)
        return self.wait_for_another(former)

    def wait_until_whole(self) -> None:
        """All three servers run, and two follow the third."""
        wait_until(lambda: self._followers(self.primary()) == 2 and self._agreed(), "all follow the primary", 60)

    def close(self) -> None:
        for each in (*self.sentinels, *self.nodes):
            each.close()

    def _node(self, follows: Node | None) -> str:
        password = (self._access / "redis" / "replica-password").read_text().strip()
        lines = [f"include {ROOT / 'redis' / 'redis.conf'}", f"aclfile {self._access / 'redis' / 'users.acl'}"]
        lines += [
            "masteruser replica",
            f"masterauth {password}",
            "min-replicas-to-write 1",
            "min-replicas-max-lag 3",
            "repl-diskless-sync-delay 0",
        ]
        lines += [f"replicaof {HOST} {follows.port}"] if follows else []
        return "\n".join(lines) + "\n"

    def _sentinel(self, primary: Node) -> str:
        password = (self._access / "redis" / "sentinel-password").read_text().strip()
        return f"""aclfile {self._access / "redis" / "sentinel.acl"}
sentinel monitor {NAME} {HOST} {primary.port} 2
sentinel auth-user {NAME} sentinel
sentinel auth-pass {NAME} {password}
sentinel sentinel-user sentinel
sentinel sentinel-pass {password}
sentinel down-after-milliseconds {NAME} {DOWN_AFTER}
sentinel failover-timeout {NAME} 10000
"""

    def _ask(self, sentinel: Node) -> Any:
        return sentinel.client("redis", self.password_file("redis"))

    def _role(self, node: Node) -> str | None:
        try:
            return str(node.client("sentinel", self._access / "redis" / "sentinel-password").info("replication")["role"])
        except redis.RedisError:
            return None

    def _followers(self, node: Node) -> int:
        try:
            return int(
                node.client("sentinel", self._access / "redis" / "sentinel-password").info("replication")["connected_slaves"]
            )
        except redis.RedisError:
            return 0

    def _agreed(self) -> bool:
        try:
            states = [self._ask(sentinel).sentinel_masters()[NAME] for sentinel in self.sentinels]
        except (redis.RedisError, KeyError):
            return False
        return all((state["num-other-sentinels"], state["num-slaves"], state["flags"]) == (2, 2, "master") for state in states)
