"""The directory in which a run of the stack keeps everything that it writes."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Settings of nginx in Docker's stack: here it may be too old for these, and names the web processes itself (hosts.local.conf).
OF_DOCKER = {"PRIMES_TLS_CERTIFICATE", "PRIMES_TLS_KEY", "PRIMES_HTTPS_REDIRECT", "PRIMES_WEB_SERVERS", "PRIMES_RESOLVER"}

SOCKET_PATH_LIMIT = 103  # bytes, on macOS; Linux takes 107
LONGEST_SOCKET = "supervisor.sock.4194304"  # Supervisor binds under its process id first


class InUse(Exception):
    """Another run has the directory."""


class Unusable(Exception):
    """The directory cannot be written; the message says why."""


class BadSetting(Exception):
    """A setting of nginx is none; the message names it, what was expected and what came."""


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Make the directory and hold it against a second run; the hold ends with the process, however that ends.

    Raises `InUse`, `Unusable`.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(state / "lock", "w")  # noqa: SIM115  # closed below
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}; give another directory with --state") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"the stack already runs in {state}; give this one another directory with --state") from None
        yield


@contextmanager
def sockets(state: Path) -> Iterator[Path]:
    """The directory for Unix sockets: the state directory, or a temporary one where its path is too long for a socket."""
    if len(os.fsencode(state / LONGEST_SOCKET)) <= SOCKET_PATH_LIMIT:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="primes-", dir="/tmp") as short:
        print(f"sockets are in {short}: the path of {state} is too long for them")
        yield Path(short)


def prepare(state: Path, http_port: int, operators_port: int) -> None:
    """What the processes expect to find: their directories, passwords, and nginx' configuration."""
    for directory in ("nginx", "prometheus", "redis"):
        (state / directory).mkdir(exist_ok=True)
    make_access = [sys.executable, "-m", "services.access", str(state / "access")]
    subprocess.run(make_access, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)  # noqa: S603  # the project's own
    _configure_nginx(state / "nginx" / "etc", http_port, operators_port)


def _configure_nginx(configuration: Path, http_port: int, operators_port: int) -> None:
    """The files of `nginx/`, with the hosts of this machine as `hosts.conf`."""
    shutil.rmtree(configuration, ignore_errors=True)  # an include that is gone must not stay
    shutil.copytree(ROOT / "nginx", configuration, ignore=shutil.ignore_patterns("hosts*.conf", "static", "operators"))
    hosts = (ROOT / "nginx" / "hosts.local.conf").read_text()
    values = {"HTTP_PORT": str(http_port), "OPERATORS_PORT": str(operators_port), "STATIC_ROOT": str(ROOT / "nginx")}
    for name, value in values.items():
        hosts = hosts.replace(f"@{name}@", value)
    (configuration / "hosts.conf").write_text(hosts)
    environment = {name: value for name, value in os.environ.items() if name not in OF_DOCKER}
    (configuration / "settings.conf").write_text(nginx_settings(environment))


def nginx_settings(environment: Mapping[str, str]) -> str:
    """What `hosts.local.conf` includes as settings.conf: nginx' settings in this environment. Raises `BadSetting`."""
    script = ["sh", str(ROOT / "nginx" / "settings.sh")]
    done = subprocess.run(script, env={"PATH": os.defpath, **environment}, capture_output=True, text=True, check=False)  # noqa: S603  # the project's own
    if done.returncode:
        raise BadSetting(done.stderr.strip())
    return done.stdout
