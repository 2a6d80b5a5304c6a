"""TLS at nginx: the files of `nginx/` in a real nginx, with a certificate that `deploy/tls.sh` made."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from websockets.sync.client import connect

from local.state import BadSetting, nginx_settings
from tests.config.nginx_backends import Backends
from tests.config.nginx_server import ROOT, Nginx, local_hosts
from tests.config.test_nginx import binaries
from tests.integration.waiting import wait_until
from tests.ports import free_port

FIRST_WITH_CACHE = (1, 27, 4)  # the first that keeps certificates named by variables
YEAR = "max-age=31536000"


def make_pair(folder: Path) -> None:
    subprocess.run([ROOT / "deploy/tls.sh", folder, "localhost", "127.0.0.1"], check=True, capture_output=True)


def curl(port: int, ca: Path, path: str, *options: str) -> tuple[str, str]:
    """Status and version of HTTP of what curl is answered over HTTP/2, and all that it was answered."""
    command = [
        "curl",
        "--silent",
        "--http2",
        "--cacert",
        str(ca),
        "--max-time",
        "20",
        "--write-out",
        "\n%{http_code} %{http_version}",
    ]
    done = subprocess.run([*command, *options, f"https://localhost:{port}{path}"], capture_output=True, text=True, check=True)
    body, _, told = done.stdout.rpartition("\n")
    return told, body


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("cafe.de", "DNS:cafe.de"),
        ("primes.example.org", "DNS:primes.example.org"),
        ("192.0.2.1", "IP Address:192.0.2.1"),
        ("2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1"),
    ],
)
def test_a_certificate_names_its_host_as_what_it_is(tmp_path: Path, host: str, name: str) -> None:
    subprocess.run([ROOT / "deploy/tls.sh", tmp_path / "a folder", host], check=True, capture_output=True)
    look = ["openssl", "x509", "-in", tmp_path / "a folder/tls.crt", "-noout", "-ext", "subjectAltName"]
    assert subprocess.run(look, check=True, capture_output=True, text=True).stdout.splitlines()[-1].strip() == name


def test_a_certificate_that_cannot_be_made_is_told_with_the_reason(tmp_path: Path) -> None:
    done = subprocess.run([ROOT / "deploy/tls.sh", tmp_path, "192.0.2"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("deploy/tls.sh: openssl made no certificate: ") and "bad ip address" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["authority", "ca.crt"]


class Secure:
    """One nginx that speaks TLS, on a port of its own beside the plain one."""

    def __init__(self, nginx: Nginx, port: int, folder: Path) -> None:
        self.nginx = nginx
        self.port = port
        self.folder = folder
        self.ca = folder / "ca.crt"
        self.url = f"wss://localhost:{port}/chatsocket"

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, str]]:
        """The status and the headers."""
        connection = HTTPSConnection("localhost", self.port, timeout=10, context=self.trust())
        connection.request(method, path)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, dict(response.headers)

    def serial(self) -> int:
        """Of the certificate that a new client is shown."""
        context = self.trust()
        with (
            socket.create_connection(("127.0.0.1", self.port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            shown = secured.getpeercert()
            assert shown
            return int(str(shown["serialNumber"]), 16)


@pytest.fixture
def backends() -> Iterator[Backends]:
    backends = Backends()
    yield backends
    backends.close()


@pytest.fixture(params=binaries(FIRST_WITH_CACHE))
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Secure]]:
    """Start nginx in front of the web process at this port."""
    started: list[Nginx] = []

    def start(web_port: int, changes: dict[str, str] | None = None, **settings: str) -> Secure:
        folder, port, plain = tmp_path / "tls", free_port(), free_port()
        make_pair(folder)
        here = {"listen 443 ": f"listen 127.0.0.1:{port} ", "/var/www;": f'"{ROOT}/nginx";', "valid=10s": "valid=1s"}
        told = {"PRIMES_TLS_CERTIFICATE": str(folder / "tls.crt"), "PRIMES_TLS_KEY": str(folder / "tls.key")}
        hosts = local_hosts(plain, [web_port] * 4)
        started.append(Nginx(request.param, tmp_path / "nginx", plain, hosts, here | (changes or {}), told | settings))
        started[-1].start()
        return Secure(started[-1], port, folder)

    yield start
    for nginx in started:
        nginx.stop()


def test_pages_and_questions_come_over_http_2(start: Callable[..., Secure], backends: Backends) -> None:
    secure = start(backends.web().port)
    told, body = curl(secure.port, secure.ca, "/")
    assert told == "200 2"
    assert "Hello, world" in body
    told, body = curl(secure.port, secure.ca, "/primes/7")
    assert told == "200 2"
    assert '"scheme": "https"' in body


def test_an_upload_comes_over_http_2_whether_its_length_is_told_or_not(start: Callable[..., Secure], backends: Backends) -> None:
    web = backends.web()
    web.released.set()
    secure = start(web.port)
    numbers = secure.folder / "numbers"
    numbers.write_bytes(b"7\n" * 500_000)
    assert curl(secure.port, secure.ca, "/jobs", "--data-binary", f"@{numbers}") == ("200 2", "1000000 bytes\ndone\n")
    piped = ("--request", "POST", "--header", "Expect:", "--upload-file", "-")
    with numbers.open("rb") as stream:
        command = ["curl", "--silent", "--http2", "--cacert", secure.ca, *piped, f"https://localhost:{secure.port}/jobs"]
        done = subprocess.run(command, stdin=stream, capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == "2000000 bytes\ndone\n"  # of both uploads


@pytest.mark.parametrize("path", ["/primes/7", "/chatsocket", "/jobs"])
def test_a_body_that_no_header_announces_is_refused_where_none_is_wanted(
    start: Callable[..., Secure], backends: Backends, path: str
) -> None:
    web = backends.web()
    secure = start(web.port)
    command = ["curl", "--silent", "--http2", "--cacert", secure.ca, "--request", "DELETE", "--upload-file", "-"]
    command += ["--write-out", "\n%{http_code} %{http_version}", f"https://localhost:{secure.port}{path}"]
    done = subprocess.run(command, input="7" * 100_000, capture_output=True, text=True, check=False, timeout=20)
    assert done.stdout.endswith("413 2"), done.stdout
    assert "body_too_large" in done.stdout
    assert web.requests == []


def test_a_websocket_goes_over_the_port_that_offers_http_2(start: Callable[..., Secure], backends: Backends) -> None:
    web = backends.web()
    secure = start(web.port)
    with connect(secure.url, ssl=secure.trust()) as client:
        client.send("7")
        assert client.recv(10) == f"{web.port} 7"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/static/page.js?v=1", 200), ("/static/none.js", 404), ("/favicon.ico", 200), ("/primes/7", 200), ("/busy", 503)],
)
def test_everything_over_tls_asks_for_tls_from_now_on(
    start: Callable[..., Secure], backends: Backends, path: str, status: int
) -> None:
    secure = start(backends.web().port)
    answered, headers = secure.ask(path)
    assert (answered, headers.get("Strict-Transport-Security")) == (status, YEAR)
    assert "Strict-Transport-Security" not in secure.nginx.ask(path).headers


def test_errors_of_nginx_ask_for_it_too(start: Callable[..., Secure], backends: Backends) -> None:
    dead = start(free_port(), PRIMES_ALLOWED_HOSTS="localhost")
    for path, status in (
        ("/metrics", 404),
        ("/primes/7", 503),
        ("/chatsocket", 503),
        ("/jobs", 503),
        ("/primes/" + "7" * 40_000, 414),
    ):
        answered, headers = dead.ask(path)
        assert (answered, headers.get("Strict-Transport-Security")) == (status, YEAR), path
    refused, _ = curl(dead.port, dead.ca, "/", "--header", "Host: evil.example")
    assert refused == "421 2"


def test_how_long_browsers_are_asked_for_it_is_a_setting(start: Callable[..., Secure], backends: Backends) -> None:
    assert "Strict-Transport-Security" not in start(backends.web().port, PRIMES_HSTS_SECONDS="0").ask("/")[1]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(start: Callable[..., Secure], backends: Backends, version: ssl.TLSVersion) -> None:
    secure = start(backends.web().port)
    context = secure.trust()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else it is the client that refuses
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", secure.port), 10) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_comes_back_goes_on_with_its_session(
    start: Callable[..., Secure], backends: Backends, version: ssl.TLSVersion
) -> None:
    secure = start(backends.web().port)
    context = secure.trust()
    context.minimum_version = context.maximum_version = version
    session = None
    for _ in range(2):
        with (
            socket.create_connection(("127.0.0.1", secure.port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as secured,
        ):
            secured.sendall(b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while secured.recv(65536):  # the session comes with what is read
                pass
            again, session = secured.session_reused, secured.session
    assert again


def test_plain_http_on_the_port_of_tls_is_told_so(start: Callable[..., Secure], backends: Backends) -> None:
    secure = start(backends.web().port)
    with socket.create_connection(("127.0.0.1", secure.port), 10) as plain:
        plain.sendall(b"GET /primes/7 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert plain.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_a_new_certificate_is_shown_without_a_reload_and_no_socket_ends(start: Callable[..., Secure], backends: Backends) -> None:
    secure = start(backends.web().port)
    before = secure.serial()
    with connect(secure.url, ssl=secure.trust()) as client:
        make_pair(secure.folder)
        wait_until(lambda: secure.serial() != before, "the new certificate is shown", 20)
        client.send("7")
        assert str(client.recv(10)).endswith(" 7")


def test_a_reload_leaves_an_open_socket_its_time(start: Callable[..., Secure], backends: Backends) -> None:
    secure = start(backends.web().port)
    with connect(secure.url, ssl=secure.trust()) as client:
        before = secure.nginx.workers()
        secure.nginx.reload()
        wait_until(lambda: bool(secure.nginx.workers() - before), "new workers take what comes", 10)
        assert secure.ask("/primes/7")[0] == 200
        client.send("7")
        assert str(client.recv(10)).endswith(" 7")


def test_plain_http_stays_as_it_is_unless_it_is_to_be_redirected(start: Callable[..., Secure], backends: Backends) -> None:
    secure = start(backends.web().port)
    assert secure.nginx.ask("/primes/7", headers={"Host": "primes.example"}).status == 200


def test_plain_http_is_redirected_where_that_is_chosen(start: Callable[..., Secure], backends: Backends) -> None:
    web = backends.web()
    nginx = start(web.port, PRIMES_HTTPS_REDIRECT="true").nginx
    for path in ("/", "/primes/7?proof=true", "/chatsocket", "/static/page.js"):
        for method in ("GET", "POST"):
            answer = nginx.ask(path, method, headers={"Host": "primes.example:8080"})
            assert (answer.status, answer.headers["Location"]) == (308, f"https://primes.example{path}")
    assert web.requests == []
    for path, host in (("/readyz", "primes.example"), ("/healthz", "10.0.0.7"), ("/primes/7", "nginx"), ("/primes/7", "localhost")):
        assert nginx.ask(path, headers={"Host": host}).status == 200, (path, host)


def test_what_cannot_be_is_refused_before_nginx_starts(tmp_path: Path) -> None:
    make_pair(tmp_path)
    pair = {"PRIMES_TLS_CERTIFICATE": str(tmp_path / "tls.crt"), "PRIMES_TLS_KEY": str(tmp_path / "tls.key")}
    assert "include hosts.tls.conf;" in nginx_settings(pair)
    bad = [
        ({**pair, "PRIMES_TLS_KEY": ""}, "PRIMES_TLS_KEY: expected the path of a file"),
        ({**pair, "PRIMES_TLS_CERTIFICATE": f"{tmp_path}/none.crt"}, "PRIMES_TLS_CERTIFICATE: expected the path of a file"),
        ({**pair, "PRIMES_TLS_KEY": "tls.key; evil"}, "PRIMES_TLS_KEY: expected the path of a file"),
        ({**pair, "PRIMES_HSTS_SECONDS": "1y"}, "PRIMES_HSTS_SECONDS: expected a number"),
        ({**pair, "PRIMES_HTTPS_REDIRECT": "yes"}, "PRIMES_HTTPS_REDIRECT: expected true or false, got 'yes'"),
        ({"PRIMES_HTTPS_REDIRECT": "true"}, "PRIMES_HTTPS_REDIRECT: expected a certificate"),
    ]
    for settings, complaint in bad:
        with pytest.raises(BadSetting, match=f"^nginx: {complaint}"):
            nginx_settings(settings)


def test_a_pair_that_is_made_again_is_of_the_same_authority(tmp_path: Path) -> None:
    make_pair(tmp_path)
    authority, first = (tmp_path / "ca.crt").read_bytes(), (tmp_path / "tls.crt").read_bytes()
    make_pair(tmp_path)
    assert (tmp_path / "ca.crt").read_bytes() == authority
    assert (tmp_path / "tls.crt").read_bytes() != first
    assert (tmp_path / "authority").stat().st_mode & 0o077 == 0
