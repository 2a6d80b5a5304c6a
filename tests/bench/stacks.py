"""What is compared: each row's servers, started as processes on ports of their own, behind an nginx of their own.

`python` is the interpreter that runs a row's servers; the benchmark itself, nginx and Redis are the same whatever it is.
"""

import contextlib
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import redis

from local import programs
from local.state import nginx_settings
from tests.bench import interpreters
from tests.integration.processes import ROOT, Program
from tests.integration.stack import get
from tests.integration.waiting import wait_until
from tests.ports import free_port

WEBS, WORKERS = 4, 2  # as docker-compose.yml has

UNLIMITED = {"SOCKETS_PER_ADDRESS": "0", "HANDSHAKES_PER_ADDRESS": "0"}  # all clients have one address

COMPOSE_PROJECT = "primes-bench"  # not the name of a stack that somebody runs for use


@dataclass(frozen=True, slots=True)
class Row:
    """Servers that run."""

    name: str
    port: int  # for clients
    components: Mapping[str, Sequence[int]]  # the processes that each part began with
    address: str = "127.0.0.1"
    commands: Callable[[], int] | None = None  # how many commands Redis has run; None: there is no Redis
    traffic: Callable[[], int] | None = None  # bytes that Redis has read and written; None: likewise
    metrics: Mapping[str, Sequence[int]] = field(default_factory=dict)  # ports of /metrics, of parts that tell them
    runtime: str = ""  # what runs its servers, with its version


class Start(Protocol):
    """Starts a row's servers, in this directory and on this interpreter, and ends them at the end of the block."""

    def __call__(self, directory: Path, *, python: str = sys.executable) -> contextlib.AbstractContextManager[Row]: ...


@contextlib.contextmanager
def stock(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
    """Stock Tornado, four processes behind nginx."""
    with _answering("stock", directory, python) as row:
        yield row


@contextlib.contextmanager
def picows(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
    """picows, likewise."""
    with _answering("picows", directory, python) as row:
        yield row


@contextlib.contextmanager
def direct(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
    """Stock Tornado, one process and no nginx."""
    with contextlib.ExitStack() as ending:
        port = free_port()
        web = ending.enter_context(program("web0", [python, "-m", "tests.bench.rows.stock", str(port)], directory))
        wait_until(partial(accepts, web, port), "stock Tornado listens")
        yield Row("direct", port, {"web": [web.pid]}, runtime=interpreters.describe([python]))


@contextlib.contextmanager
def primes(
    directory: Path,
    webs: int = WEBS,
    workers: int = WORKERS,
    *,
    python: str = sys.executable,
    limits: Mapping[str, str] = UNLIMITED,
    options: Mapping[str, Sequence[str]] | None = None,
    nginx_workers: int = 0,
) -> Iterator[Row]:
    """The whole of ours: nginx, web processes, Redis with its append-only file, workers.

    `limits`: settings of nginx; `options`: more of the command line of each `web` and each `worker`; `nginx_workers`: processes of
    nginx, 0 for as many as it has otherwise.
    """
    more = options or {}
    with contextlib.ExitStack() as ending:
        redis_port, http_ports = free_port(), [free_port() for _ in range(webs)]
        store = ending.enter_context(_redis(directory, redis_port))
        metrics_ports = [free_port() for _ in range(webs + workers)]
        web = [
            ending.enter_context(
                _service(
                    python,
                    "web",
                    n,
                    directory,
                    redis_port,
                    metrics_ports[n],
                    "--address",
                    "127.0.0.1",
                    "--port",
                    str(port),
                    "--behind-proxy",
                    *more.get("web", ()),
                )
            )
            for n, port in enumerate(http_ports)
        ]
        worker = [
            ending.enter_context(
                _service(
                    python,
                    "worker",
                    n,
                    directory,
                    redis_port,
                    metrics_ports[webs + n],
                    "--metrics-address",
                    "127.0.0.1",
                    "--heavy-processes",
                    "1",
                    *more.get("worker", ()),
                )
            )
            for n in range(workers)
        ]
        for server, port in zip((*web, *worker), metrics_ports, strict=True):
            wait_until(partial(_ready, server, port), f"{server.name} is ready")
        nginx, http_port = ending.enter_context(nginx_before(directory, http_ports, limits, nginx_workers))
        metrics = {"web": metrics_ports[:webs], "worker": metrics_ports[webs:]}
        parts = {"nginx": [nginx], "web": web, "worker": worker, "redis": [store]}
        pids = {name: [member.pid for member in members] for name, members in parts.items()}
        password = (directory / "access" / "exporter" / "password").read_text().strip()
        told = {
            name: partial(count, redis_port, username="exporter", password=password)
            for name, count in {"commands": count_commands, "traffic": count_bytes}.items()
        }
        yield Row("primes", http_port, pids, **told, metrics=metrics, runtime=interpreters.describe([python]))


@contextlib.contextmanager
def compose(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
    """The same as containers, by the project's own docker-compose.yml. Needs an engine, and to be root for what /proc tells.

    They run on the interpreter of their images, whatever `python` is.
    """
    with _containers("compose", COMPOSE_PROJECT, ("docker-compose.yml",), ("nginx", "worker")) as row:
        yield row


@contextlib.contextmanager
def compose_stock(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
    """Stock Tornado as containers, likewise."""
    with _containers(
        "compose-stock", f"{COMPOSE_PROJECT}-stock", ("docker-compose.yml", "tests/bench/stock.compose.yml"), ("nginx",)
    ) as row:
        yield row


@contextlib.contextmanager
def _containers(name: str, project: str, files: Sequence[str], services: Sequence[str]) -> Iterator[Row]:
    """Of these services and what they depend on."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    environment = {
        **os.environ,
        "COMPOSE_PROJECT_NAME": project,
        "COMPOSE_FILE": os.pathsep.join(files),
        "HTTP_PORT": str(free_port()),
        "OPERATORS_PORT": str(free_port()),
        "PROMETHEUS_PORT": str(free_port()),
        "NOFILE": str(min(most, 50_000) if most != resource.RLIM_INFINITY else 50_000),
        **UNLIMITED,
    }

    def docker(*arguments: str) -> str:
        done = subprocess.run(["docker", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)}: status {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    try:
        docker("compose", "up", "--detach", "--build", "--wait", *services)
        components: dict[str, list[int]] = {}
        address = ""
        for container in json.loads(docker("inspect", *docker("compose", "ps", "--quiet").split())):
            service = container["Config"]["Labels"]["com.docker.compose.service"]
            components.setdefault(service.rstrip("0123456789"), []).append(container["State"]["Pid"])
            if service == "nginx":
                # Straight to the container: the published port of the loopback goes through a proxy of Docker's.
                address = container["NetworkSettings"]["Networks"][f"{project}_edge"]["IPAddress"]
        runtime = interpreters.describe(["docker", "compose", "exec", "-T", "web1", "python"], cwd=ROOT, environment=environment)
        yield Row(name, 80, components, address, runtime=runtime)
    finally:
        docker("compose", "down", "--volumes", "--timeout", "20")


ROWS: dict[str, Start] = {
    "stock": stock,
    "picows": picows,
    "primes": primes,
    "direct": direct,
    "compose-stock": compose_stock,
    "compose": compose,
}


@contextlib.contextmanager
def _answering(name: str, directory: Path, python: str) -> Iterator[Row]:
    """Four processes that answer by themselves, and nginx."""
    with contextlib.ExitStack() as ending:
        ports = [free_port() for _ in range(WEBS)]
        web = [
            ending.enter_context(program(f"web{n}", [python, "-m", f"tests.bench.rows.{name}", str(port)], directory))
            for n, port in enumerate(ports)
        ]
        for server, port in zip(web, ports, strict=True):
            wait_until(partial(accepts, server, port), f"{name} listens on {port}")
        nginx, http_port = ending.enter_context(nginx_before(directory, ports, UNLIMITED))
        pids = {"nginx": [nginx.pid], "web": [server.pid for server in web]}
        yield Row(name, http_port, pids, runtime=interpreters.describe([python]))


@contextlib.contextmanager
def nginx_before(
    directory: Path, web_ports: Sequence[int], limits: Mapping[str, str], workers: int = 0
) -> Iterator[tuple[Program, int]]:
    """The project's own configuration, as `make local` fills it in, with these web processes, and so many of its own, if any."""
    port, prefix = free_port(), directory / "nginx"
    prefix.mkdir()
    shutil.copytree(ROOT / "nginx", prefix / "etc", ignore=shutil.ignore_patterns("hosts*.conf", "static"))
    if workers:
        whole = (prefix / "etc" / "nginx.conf").read_text()
        (prefix / "etc" / "nginx.conf").write_text(re.sub(r"(?m)^worker_processes .*;$", f"worker_processes {workers};", whole))
    (prefix / "etc" / "hosts.conf").write_text(hosts((ROOT / "nginx" / "hosts.local.conf").read_text(), port, web_ports))
    (prefix / "etc" / "settings.conf").write_text(nginx_settings({f"PRIMES_{name}": value for name, value in limits.items()}))
    # Started by root, its workers would become `nobody`, who may not write here.
    directives = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    command = [
        str(programs.find(programs.NGINX).path),
        "-e",
        "stderr",
        "-p",
        f"{prefix}/",
        "-c",
        "etc/nginx.conf",
        "-g",
        directives,
    ]
    with program("nginx", command, directory) as nginx:
        wait_until(partial(accepts, nginx, port), "nginx listens")
        yield nginx, port


def hosts(text: str, port: int, web_ports: Sequence[int]) -> str:
    """`hosts.local.conf` for other ports and fewer web processes, and with the listening socket that the containers have:

    one queue a worker of nginx. With one queue for all, one worker would get most sockets, and run out of open files.
    """
    first, *others = [line for line in text.splitlines() if line.strip().startswith("server 127.0.0.1:")]
    named = "\n".join(first.replace(":8000", f":{web_port}") for web_port in web_ports)
    text = "\n".join(named if line == first else line for line in text.splitlines() if line not in others)
    text = text.partition("# The operators' page.")[0]  # nobody looks, and its port may be taken
    text = text.replace("@HTTP_PORT@", str(port)).replace(f":{port};", f":{port} reuseport backlog=4096;")
    return text.replace("@OPERATORS_PORT@", "none").replace("@STATIC_ROOT@", str(ROOT / "nginx")) + "\n"


@contextlib.contextmanager
def _redis(directory: Path, port: int) -> Iterator[Program]:
    """Over TCP, as in the containers, with the users of the service."""
    access = directory / "access"
    subprocess.run([sys.executable, "-m", "services.access", access], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with redis_server(directory, port, access / "redis" / "users.acl") as store:
        yield store


@contextlib.contextmanager
def redis_server(directory: Path, port: int, users: Path) -> Iterator[Program]:
    """With the project's own configuration, append-only file and all, and these users."""
    data = directory / "redis"
    data.mkdir()
    command = [
        str(programs.find(programs.REDIS).path),
        str(ROOT / "redis" / "redis.conf"),
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--dir", str(data), "--aclfile", str(users), "--loglevel", "warning"]
    with program("redis", command, directory) as server:
        wait_until(partial(accepts, server, port), "Redis listens")
        yield server


def count_commands(port: int, **access: str) -> int:
    """Commands that Redis has run, those of scripts among them."""
    with contextlib.closing(redis.Redis(port=port, **access)) as client:  # type: ignore[call-overload]  # names of its arguments
        return sum(int(told["calls"]) for told in client.info("commandstats").values())


def count_bytes(port: int, **access: str) -> int:
    """Bytes that Redis has read from its clients and written to them."""
    with contextlib.closing(redis.Redis(port=port, **access)) as client:  # type: ignore[call-overload]  # as above
        told = client.info("stats")
        return int(told["total_net_input_bytes"]) + int(told["total_net_output_bytes"])


def _service(
    python: str, role: str, number: int, directory: Path, redis_port: int, metrics_port: int, *options: str
) -> contextlib.AbstractContextManager[Program]:
    access = ["--redis-user", role, "--redis-password-file", str(directory / "access" / role / "password")]
    where = ["--redis-url", f"redis://127.0.0.1:{redis_port}", "--metrics-port", str(metrics_port)]
    name = f"{role}{number}"
    return program(name, [python, "-m", f"services.{role}", "--instance", name, *where, *access, *options], directory)


@contextlib.contextmanager
def program(name: str, command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None) -> Iterator[Program]:
    """A process, ended at the end of the block with all that it started; with this one, too, where the machine can do that."""
    started = Program(name, [*programs.find_tether().split(), *command], directory / f"{name}.log", environment)
    try:
        yield started
    finally:
        started.close()


def _alive(program: Program) -> None:
    if not program.running:
        raise RuntimeError(f"{program.name} ended:\n{program.tail()}")


def accepts(server: Program, port: int) -> bool:
    """Whether it listens there. Raises RuntimeError if it ended."""
    _alive(server)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ready(program: Program, port: int) -> bool:
    _alive(program)
    return get(port, "/readyz", seconds=5).status == 200
