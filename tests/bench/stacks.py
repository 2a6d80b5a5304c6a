"""What is compared: each row's servers, started as processes on ports of their own, behind an nginx of their own."""

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import redis

from local import programs
from local.state import nginx_settings
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
    metrics: Mapping[str, Sequence[int]] = field(default_factory=dict)  # ports of /metrics, of parts that tell them


@contextlib.contextmanager
def stock(directory: Path) -> Iterator[Row]:
    """Stock Tornado, four processes behind nginx."""
    with _answering("stock", directory) as row:
        yield row


@contextlib.contextmanager
def picows(directory: Path) -> Iterator[Row]:
    """picows, likewise."""
    with _answering("picows", directory) as row:
        yield row


@contextlib.contextmanager
def direct(directory: Path) -> Iterator[Row]:
    """Stock Tornado, one process and no nginx."""
    with contextlib.ExitStack() as ending:
        port = free_port()
        web = ending.enter_context(_program("web0", _module("tests.bench.rows.stock", str(port)), directory))
        wait_until(partial(_accepts, web, port), "stock Tornado listens")
        yield Row("direct", port, {"web": [web.pid]})


@contextlib.contextmanager
def primes(
    directory: Path,
    webs: int = WEBS,
    workers: int = WORKERS,
    *,
    limits: Mapping[str, str] = UNLIMITED,
    options: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Row]:
    """The whole of ours: nginx, web processes, Redis with its append-only file, workers.

    `limits`: settings of nginx; `options`: more of the command line of each `web` and each `worker`.
    """
    more = options or {}
    with contextlib.ExitStack() as ending:
        redis_port, http_ports = free_port(), [free_port() for _ in range(webs)]
        store = ending.enter_context(_redis(directory, redis_port))
        metrics_ports = [free_port() for _ in range(webs + workers)]
        web = [
            ending.enter_context(
                _service(
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
        for program, port in zip((*web, *worker), metrics_ports, strict=True):
            wait_until(partial(_ready, program, port), f"{program.name} is ready")
        nginx, http_port = ending.enter_context(_nginx(directory, http_ports, limits))
        metrics = {"web": metrics_ports[:webs], "worker": metrics_ports[webs:]}
        parts = {"nginx": [nginx], "web": web, "worker": worker, "redis": [store]}
        pids = {name: [program.pid for program in members] for name, members in parts.items()}
        yield Row("primes", http_port, pids, commands=_counter(directory, redis_port), metrics=metrics)


@contextlib.contextmanager
def compose(directory: Path) -> Iterator[Row]:
    """The same as containers, by the project's own docker-compose.yml. Needs an engine, and to be root for what /proc tells."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    environment = {
        **os.environ,
        "COMPOSE_PROJECT_NAME": COMPOSE_PROJECT,
        "HTTP_PORT": str(free_port()),
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
        docker("compose", "up", "--detach", "--build", "--wait", "nginx", "worker")
        components: dict[str, list[int]] = {"nginx": [], "web": [], "worker": [], "redis": []}
        address = ""
        for container in json.loads(docker("inspect", *docker("compose", "ps", "--quiet").split())):
            service = container["Config"]["Labels"]["com.docker.compose.service"]
            components[service.rstrip("0123456789")].append(container["State"]["Pid"])
            if service == "nginx":
                # Straight to the container: the published port of the loopback goes through a proxy of Docker's.
                address = container["NetworkSettings"]["Networks"][f"{COMPOSE_PROJECT}_edge"]["IPAddress"]
        yield Row("compose", 80, components, address)
    finally:
        docker("compose", "down", "--volumes", "--timeout", "20")


ROWS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Row]]] = {
    "stock": stock,
    "picows": picows,
    "primes": primes,
    "direct": direct,
    "compose": compose,
}


@contextlib.contextmanager
def _answering(name: str, directory: Path) -> Iterator[Row]:
    """Four processes that answer by themselves, and nginx."""
    with contextlib.ExitStack() as ending:
        ports = [free_port() for _ in range(WEBS)]
        web = [
            ending.enter_context(_program(f"web{n}", _module(f"tests.bench.rows.{name}", str(port)), directory))
            for n, port in enumerate(ports)
        ]
        for program, port in zip(web, ports, strict=True):
            wait_until(partial(_accepts, program, port), f"{name} listens on {port}")
        nginx, http_port = ending.enter_context(_nginx(directory, ports, UNLIMITED))
        yield Row(name, http_port, {"nginx": [nginx.pid], "web": [program.pid for program in web]})


@contextlib.contextmanager
def _nginx(directory: Path, web_ports: Sequence[int], limits: Mapping[str, str]) -> Iterator[tuple[Program, int]]:
    """The project's own configuration, as `make local` fills it in, with these web processes."""
    port, prefix = free_port(), directory / "nginx"
    prefix.mkdir()
    shutil.copytree(ROOT / "nginx", prefix / "etc", ignore=shutil.ignore_patterns("hosts*.conf", "static"))
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
    with _program("nginx", command, directory) as nginx:
        wait_until(partial(_accepts, nginx, port), "nginx listens")
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
    """Over TCP, as in the containers."""
    access, data = directory / "access", directory / "redis"
    data.mkdir()
    subprocess.run([sys.executable, "-m", "services.access", access], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    command = [
        str(programs.find(programs.REDIS).path),
        str(ROOT / "redis" / "redis.conf"),
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--dir", str(data), "--aclfile", str(access / "redis" / "users.acl"), "--loglevel", "warning"]
    with _program("redis", command, directory) as program:
        wait_until(partial(_accepts, program, port), "Redis listens")
        yield program


def _counter(directory: Path, port: int) -> Callable[[], int]:
    """Commands that Redis has run, those of scripts among them."""
    password = (directory / "access" / "exporter" / "password").read_text().strip()

    def count() -> int:
        with contextlib.closing(redis.Redis(port=port, username="exporter", password=password)) as client:
            return sum(int(told["calls"]) for told in client.info("commandstats").values())

    return count


def _service(
    role: str, number: int, directory: Path, redis_port: int, metrics_port: int, *options: str
) -> contextlib.AbstractContextManager[Program]:
    access = ["--redis-user", role, "--redis-password-file", str(directory / "access" / role / "password")]
    where = ["--redis-url", f"redis://127.0.0.1:{redis_port}", "--metrics-port", str(metrics_port)]
    name = f"{role}{number}"
    return _program(name, _module(f"services.{role}", "--instance", name, *where, *access, *options), directory)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


@contextlib.contextmanager
def _program(name: str, command: Sequence[str], directory: Path) -> Iterator[Program]:
    """A process, ended at the end of the block with all that it started; with this one, too, where the machine can do that."""
    program = Program(name, [*programs.find_tether().split(), *command], directory / f"{name}.log")
    try:
        yield program
    finally:
        program.close()


def _alive(program: Program) -> None:
    if not program.running:
        raise RuntimeError(f"{program.name} ended:\n{program.tail()}")


def _accepts(program: Program, port: int) -> bool:
    _alive(program)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ready(program: Program, port: int) -> bool:
    _alive(program)
    return get(port, "/readyz", seconds=5).status == 200
