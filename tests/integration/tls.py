"""TLS in front of Redis and Sentinels: an authority of the test's own, what it signs, and who ends TLS.

A server that was built with TLS speaks it itself; before one that was not stands an nginx.
"""

import socket
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from local import programs
from tests.integration.processes import Program
from tests.integration.redis_server import find
from tests.integration.waiting import wait_until

HOST = "127.0.0.1"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: Path
    key: Path

    def put(self, place: "Pair") -> None:
        """Replace another pair with this one, one file after the other, as whoever renews does."""
        for mine, theirs in ((self.certificate, place.certificate), (self.key, place.key)):
            new = theirs.with_suffix(".new")
            new.write_bytes(mine.read_bytes())
            new.replace(theirs)


class Authority:
    """Signs what the test asks for."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder / name
        self._folder.mkdir()
        self._key = self._folder / "ca.key"
        self.certificate = self._folder / "ca.crt"
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        self._openssl(
            "req", "-x509", *_KEY, "-keyout", self._key, "-out", self.certificate, "-days", "9", "-subj", f"/CN={name}", *usage
        )

    def sign(self, name: str, days: int = 1) -> Pair:
        """For 127.0.0.1, both as a server and as a client; with -1 day, one that is over."""
        request, pair = self._folder / f"{name}.csr", Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        self._openssl(
            "req",
            "-new",
            *_KEY,
            "-keyout",
            pair.key,
            "-out",
            request,
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName=IP:{HOST}",
        )
        by = ["-CA", self.certificate, "-CAkey", self._key, "-copy_extensions", "copy"]
        self._openssl("x509", "-req", "-in", request, *by, "-days", days, "-out", pair.certificate)
        return pair

    @staticmethod
    def _openssl(*words: str | Path | int) -> None:
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@dataclass(frozen=True)
class Secrets:
    """What one side shows, and the authority that it believes."""

    authority: Authority
    pair: Pair

    @property
    def options(self) -> dict[str, str | bool]:
        """For redis-py."""
        files = {"ca_certs": self.authority.certificate, "certfile": self.pair.certificate, "keyfile": self.pair.key}
        return {"ssl": True, **{f"ssl_{name}": str(path) for name, path in files.items()}}


@cache
def is_built_in() -> bool:
    """Whether the server that the tests take speaks TLS itself."""
    tried = subprocess.run([find(), "--port", "0", "--tls-port", "1"], capture_output=True, text=True, check=False, timeout=20)
    return "No tls-cert-file" in tried.stdout + tried.stderr


def own_options(secrets: Secrets, port: int) -> list[str]:
    """What a server that speaks TLS itself is told; whoever comes has to show a certificate."""
    pair = secrets.pair
    files = {"ca-cert": secrets.authority.certificate, "cert": pair.certificate, "key": pair.key}
    return [word for name, path in files.items() for word in (f"--tls-{name}-file", str(path))] + ["--tls-port", str(port)]


class Terminator:
    """An nginx that ends TLS, and lets through who speaks without."""

    def __init__(self, folder: Path, port: int, backend: int, secrets: Secrets) -> None:
        """`backend`: the port of whoever is behind it."""
        inner = folder / f"tls-{port}.sock"
        inner.unlink(missing_ok=True)
        settings = folder / f"tls-{port}.conf"
        # One process: whoever waits for its end finds the port free, which a worker of its own would hold for a moment more.
        settings.write_text(f"""
daemon off; master_process off; pid {folder}/tls-{port}.pid; error_log stderr;
events {{ worker_connections 500; }}
stream {{
    map $ssl_preread_protocol $way {{ "" {HOST}:{backend}; default unix:{inner}; }}
    server {{ listen {HOST}:{port}; ssl_preread on; proxy_pass $way; proxy_timeout 1h; }}
    server {{
        listen unix:{inner} ssl;
        ssl_certificate {secrets.pair.certificate};
        ssl_certificate_key {secrets.pair.key};
        ssl_verify_client on;
        ssl_client_certificate {secrets.authority.certificate};
        proxy_pass {HOST}:{backend};
        proxy_timeout 1h;
    }}
}}
""")
        nginx = programs.find(programs.NGINX).path
        self._program = Program("terminator", [str(nginx), "-p", str(folder), "-c", str(settings)], folder / f"tls-{port}.log")
        wait_until(lambda: self._listens(port), "the terminator listens")

    def close(self) -> None:
        self._program.close()

    @staticmethod
    def _listens(port: int) -> bool:
        with socket.create_connection((HOST, port), 5):
            return True
