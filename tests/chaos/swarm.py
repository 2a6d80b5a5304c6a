"""Three engines on this machine, each in a network of its own, make a swarm: the stack runs on it, and a node can be cut off.

Needs root, dockerd and the images' stand-ins; what a node's engine is given lies in a folder of the test's.
"""

import json
import os
import resource
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.client import Crowd
from tests.integration.waiting import wait_until
from tests.system.stack import ROOT

NODES = 3
NETWORK = "198.18.77"  # of those that are set apart for tests of networks (RFC 2544)
BRIDGE = "primes-swarm"
GATEWAY = f"{NETWORK}.254"
IMAGES = ("primes-web", "primes-worker", "primes-nginx", "redis:8.0", "prom/prometheus:v3.5.3", "oliver006/redis_exporter:v1.86.0")
ENDING = 60  # seconds in which an engine stops its containers and ends
AWAY = 60  # seconds for which a node, or Redis, is away


def ran(*command: str, **variables: str) -> str:
    """What a command printed; fails with all that it said."""
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


class Node:
    """An engine whose network is a cable to the others', which can be drawn."""

    def __init__(self, index: int, directory: Path) -> None:
        self.index, self.address = index, f"{NETWORK}.{index + 1}"
        self._place = f"{BRIDGE}-{index}"  # the name of its network
        self._cable = f"psw{index}"  # the end of it that the bridge has; 15 characters at most
        self._directory = directory / f"node{index}"
        self._directory.mkdir()
        self.host = f"unix://{self._directory}/docker.sock"
        ran("ip", "netns", "add", self._place)
        ran("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self._place)
        ran("ip", "link", "set", self._cable, "master", BRIDGE, "up")
        self._within("addr", "add", f"{self.address}/24", "dev", "eth0")
        self._within("link", "set", "lo", "up")
        self._within("link", "set", "eth0", "up")
        self._within("route", "add", "default", "via", GATEWAY)
        with (directory / f"node{index}.log").open("wb") as log:
            self._engine = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._answers, f"the engine of node {index} answers", 60)

    def docker(self, *words: str) -> str:
        """Ask this node's engine."""
        return ran("docker", *words, DOCKER_HOST=self.host)

    def cut_off(self) -> None:
        ran("ip", "link", "set", self._cable, "down")

    def put_back(self) -> None:
        ran("ip", "link", "set", self._cable, "up")

    def close(self) -> None:
        """End the engine, which ends its containers, and take its network away."""
        self._engine.send_signal(signal.SIGTERM)
        try:
            self._engine.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._engine.kill()
            self._engine.wait()
        for mounted in [
            line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if f" {self._directory}/" in line
        ]:
            subprocess.run(["umount", "--lazy", mounted], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", self._place], capture_output=True, check=False)  # and the cable with it

    def _within(self, *words: str) -> None:
        ran("ip", "-n", self._place, *words)

    def _command(self) -> Sequence[str]:
        # Not `ip netns exec`, which mounts a /sys of its own, without the control groups that an engine needs.
        enter = ["nsenter", f"--net=/run/netns/{self._place}", "dockerd", "--host", self.host]
        folders = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        return [*enter, *(word for name, folder in folders.items() for word in (f"--{name}", f"{self._directory}/{folder}"))]

    def _answers(self) -> bool:
        assert self._engine.poll() is None, f"the engine of node {self.index} runs"
        command = ["docker", "--host", self.host, "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Swarm:
    """The stack on three managers, so that two of them go on when one is cut off. Call `close` however `start` ended."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.certificates = directory / "certificates"  # for all nodes, of one authority
        self.nodes: list[Node] = []
        self._gone: set[int] = set()

    def start(self) -> None:
        """Make networks, engines, a swarm, and deploy what stands here."""
        ran("ip", "link", "add", BRIDGE, "type", "bridge")
        ran("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
        ran("ip", "link", "set", BRIDGE, "up")
        subprocess.run(["iptables", "-I", *self._passing()], check=True)  # an engine forbids what is not its own
        for index in range(NODES):
            self.nodes.append(Node(index, self._directory))
        self._build()
        ran("deploy/tls.sh", str(self.certificates), *(node.address for node in self.nodes))
        first, *others = self.nodes
        first.docker("swarm", "init", "--advertise-addr", first.address)
        token = first.docker("swarm", "join-token", "--quiet", "manager").strip()
        for node in others:
            node.docker("swarm", "join", "--token", token, "--advertise-addr", node.address, first.address)
        for index, node in enumerate(self.nodes):
            id_ = node.docker("info", "--format", "{{.Swarm.NodeID}}").strip()
            first.docker("node", "update", "--label-add", f"primes.redis={index}", id_)
        self.deploy()

    def deploy(self, *options: str) -> str:
        """What an operator calls, for the first time or again: with TLS wherever there can be."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        descriptors = str(hard) if hard != resource.RLIM_INFINITY and hard < 50_000 else "50000"
        return ran(
            "deploy/swarm/up.sh",
            *options,
            DOCKER_HOST=self.manager.host,
            ACCESS=str(self._directory / "access"),
            TLS_FOLDER=str(self.certificates),
            REDIS_TLS_FOLDER=str(self.certificates),
            RESOLVE_IMAGE="never",  # there is no registry here
            NOFILE=descriptors,
            SOCKETS_PER_ADDRESS="0",  # all clients of the tests have one address
            HANDSHAKES_PER_ADDRESS="0",
        )

    @property
    def manager(self) -> Node:
        """One that is not cut off."""
        return next(node for node in self.nodes if node.index not in self._gone)

    @property
    def addresses(self) -> list[str]:
        """Where clients connect: every node, whether it is there or not."""
        return [f"ws://{node.address}/chatsocket" for node in self.nodes]

    def is_whole(self, *services: str) -> bool:
        """Whether these services have all replicas that they want; all services unless told otherwise."""
        listed = self.manager.docker("stack", "services", "--format", "{{.Name}} {{.Replicas}}", "primes").splitlines()
        found = {name.removeprefix("primes_"): replicas for name, replicas, *_ in (line.split() for line in listed)}
        return all(there == wanted for there, _, wanted in (found[name].partition("/") for name in services or found))

    def has_noticed(self) -> bool:
        """Whether the managers know that a node is gone; they do not answer while they agree on another leader."""
        listed = ["docker", "--host", self.manager.host, "node", "ls", "--format", "{{.Status}}"]
        return "Down" in subprocess.run(listed, capture_output=True, text=True, check=False).stdout

    def wait_whole(self) -> None:
        """All services have all that they want, and every node's nginx says ready."""
        wait_until(self.is_whole, "all services run", 180)
        for node in self.nodes:
            command = ["curl", "--silent", "--fail", "--max-time", "5", f"http://{node.address}/readyz"]
            wait_until(
                lambda command=command: subprocess.run(command, capture_output=True, check=False).returncode == 0,  # type: ignore[misc]
                f"node {node.index} is ready",
                120,
            )

    def asked(self, path: str) -> Any:
        """What Prometheus, on the first node, answers."""
        with urllib.request.urlopen(f"http://{self.nodes[0].address}:9090/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def authority(self) -> ssl.SSLContext:
        """Whoever shows a certificate of the nodes' authority is believed."""
        return ssl.create_default_context(cafile=self.certificates / "ca.crt")

    def tasks(self, *services: str) -> set[str]:
        """The containers of these services that shall run, by their tasks' ids."""
        names = [f"primes_{service}" for service in services]
        return set(self.manager.docker("service", "ps", "--quiet", "--filter", "desired-state=running", *names).split())

    def primary(self) -> Node:
        """The node whose Redis takes writes, as the servers say themselves."""
        return next(node for node in self.nodes if node.index not in self._gone and "role:master" in self._replication(node))

    def cut_off(self, node: Node) -> None:
        self._gone.add(node.index)
        node.cut_off()

    def put_back(self, node: Node) -> None:
        node.put_back()
        self._gone.discard(node.index)

    def close(self) -> None:
        """Leave nothing: no engine, no container, no network."""
        for node in self.nodes:
            node.close()
        subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
        subprocess.run(["iptables", "-D", *self._passing()], capture_output=True, check=False)

    def _passing(self) -> list[str]:
        return ["FORWARD", "--in-interface", BRIDGE, "--out-interface", BRIDGE, "--jump", "ACCEPT"]

    def _build(self) -> None:
        """Build the images where they are always built, and bring them to every node."""
        ran("docker", "compose", "build", "web0", "worker")
        ran("docker", "build", "--file", "deploy/swarm/nginx.Dockerfile", "--tag", "primes-nginx", "nginx")
        images = self._directory / "images.tar"
        ran("docker", "save", "--output", str(images), *IMAGES)
        for node in self.nodes:
            node.docker("load", "--quiet", "--input", str(images))
        images.unlink()

    def _replication(self, node: Node) -> str:
        """What the Redis of a node says of itself."""
        name = f"label=com.docker.swarm.service.name=primes_redis{node.index}"
        ids = node.docker("ps", "--quiet", "--filter", name).split()
        if not ids:
            return ""
        password = (self._directory / "access" / "exporter" / "password").read_text().strip()
        tls = ("--tls", "--cacert", "/run/access/redis-ca.crt")
        ask = ("redis-cli", *tls, "--user", "exporter", "INFO", "replication")
        return node.docker("exec", "--env", f"REDISCLI_AUTH={password}", ids[0], *ask)


def last(seconds: float) -> None:
    """The length of a fault."""
    time.sleep(seconds)


def replace_workers_and_web(swarm: Swarm, crowd: Crowd) -> None:
    for service in ("worker", "web"):
        swarm.manager.docker("service", "update", "--force", "--quiet", f"primes_{service}")


def cut_off_a_node(swarm: Swarm, crowd: Crowd) -> None:
    _away(swarm, next(node for node in swarm.nodes if node is not swarm.primary()))


def cut_off_the_node_of_the_primary(swarm: Swarm, crowd: Crowd) -> None:
    _away(swarm, swarm.primary())


def _away(swarm: Swarm, node: Node) -> None:
    """Cut a node off; before it is back what ran there must run elsewhere."""
    end = time.monotonic() + AWAY
    swarm.cut_off(node)
    try:
        wait_until(swarm.has_noticed, "the managers know that a node is gone", AWAY)
        wait_until(lambda: swarm.is_whole("web", "worker"), "all web processes and workers run elsewhere", end - time.monotonic())
        print(f"replicas were back after {time.monotonic() - end + AWAY:.1f} s")
        last(max(0.0, end - time.monotonic()))
    finally:
        swarm.put_back(node)


def take_redis_away(swarm: Swarm, crowd: Crowd) -> None:
    """All three servers of it; what waits for them is left alone."""
    servers = [f"primes_redis{node.index}" for node in swarm.nodes]
    before = swarm.tasks("web", "worker", "nginx")
    swarm.manager.docker("service", "scale", *(f"{server}=0" for server in servers))
    last(AWAY)
    after = swarm.tasks("web", "worker", "nginx")
    swarm.manager.docker("service", "scale", *(f"{server}=1" for server in servers))
    assert after == before, "no process was started anew since Redis was away"
