"""Which hosts may be asked for, through nginx: names that others make point at this machine are refused (DNS rebinding)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.nginx_server import Answer
from tests.integration.conftest import Front
from tests.integration.web.behind_nginx import Site, behind_nginx, send

SOCKET = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

ALLOWED = [
    "example.org",
    "EXAMPLE.org:8080",
    "example.org.",
    "a.b.example",
    "localhost",
    "localhost:8080",
    "127.0.0.1",
    "[::1]:80",
    "nginx",
]
FOREIGN = ["evil.example", "example.org.evil.example", "xexample.org", "b.example", "127.0.0.2", "[::2]"]
ODD = [
    "",
    "example.org:80:80",
    "[::1",
    "a'\"b",
    "a\\",
    "\xe4",
    "x" * 200,
]  # which of them are refused as no HTTP depends on nginx' version


@pytest.fixture
def choosy(manned: Front, tmp_path: Path) -> Iterator[Site]:
    """Two names may be asked for by clients, and none but nginx' own by operators."""
    with behind_nginx(manned.web0, tmp_path, {"PRIMES_ALLOWED_HOSTS": "example.org,*.b.example"}) as site:
        yield site


@pytest.fixture
def site(manned: Front, tmp_path: Path) -> Iterator[Site]:
    """As it is unless something is set."""
    with behind_nginx(manned.web0, tmp_path) as site:
        yield site


def ask(port: int, path: str, host: str, more: str = "") -> Answer:
    end = "" if "Upgrade" in more else "Connection: close\r\n"
    return send(port, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}{end}\r\n".encode("latin-1"))


def expect_refused(answer: Answer, told: str) -> None:
    assert answer.status == 421
    assert answer.headers["Content-Type"] == "application/json"
    error = answer.json["error"]
    assert (error["code"], error["retryable"]) == ("misdirected", False)
    assert error["message"] == f"Expected a host that ALLOWED_HOSTS names, on the operators' port OPERATORS_HOSTS, got {told}."


@pytest.mark.parametrize("path", ["/primes/97", "/", "/static/page.js", "/jobs/x", "/nothing", "/metrics"])
def test_a_host_that_is_not_named_is_refused_with_what_came(choosy: Site, path: str) -> None:
    for host in FOREIGN:
        expect_refused(ask(choosy.port, path, host), f"'{host}'")
    assert {ask(choosy.port, path, host).status for host in ALLOWED} <= {200, 404}


def test_what_no_host_is_called_is_refused_in_json_too(choosy: Site) -> None:
    for port in (choosy.port, choosy.operators_port):
        answers = [ask(port, "/", host) for host in ODD]
        assert {(answer.status, answer.json["error"]["code"]) for answer in answers} <= {(400, "bad_request"), (421, "misdirected")}
        assert 421 in [answer.status for answer in answers]


def test_any_host_may_be_asked_for_unless_some_are_named(site: Site) -> None:
    for host in (*ALLOWED, "evil.example", "192.0.2.1:8080"):
        assert ask(site.port, "/primes/97", host).status == 200, host


def test_a_socket_is_refused_though_its_origin_is_the_host(choosy: Site) -> None:
    for host in ("evil.example", "127.0.0.2"):
        expect_refused(ask(choosy.port, "/chatsocket", host, f"Origin: http://{host}\r\n{SOCKET}"), f"'{host}'")
    assert ask(choosy.port, "/chatsocket", "example.org", f"Origin: http://example.org\r\n{SOCKET}").status == 101


def test_health_is_told_to_whoever_asks(choosy: Site) -> None:
    for path in ("/healthz", "/readyz"):
        assert {ask(choosy.port, path, host).status for host in (*ALLOWED, *FOREIGN)} == {200}
        assert send(choosy.port, f"GET {path} HTTP/1.0\r\n\r\n".encode()).status == 200


def test_http_1_0_without_a_host_is_refused_where_hosts_are_named(choosy: Site) -> None:
    expect_refused(send(choosy.port, b"GET /primes/97 HTTP/1.0\r\n\r\n"), "none")


def test_a_host_in_the_request_line_stands_for_no_other(choosy: Site) -> None:
    expect_refused(ask(choosy.port, "http://example.org/primes/97", "evil.example"), "'evil.example'")


@pytest.mark.parametrize("path", ["/", "/operators.js", "/dead-letters", "/figures"])
def test_a_page_of_a_foreign_name_reads_nothing_on_the_operators_port(site: Site, path: str) -> None:
    for host in ("evil.example", "example.org", "localhost.evil.example"):
        expect_refused(ask(site.operators_port, path, host), f"'{host}'")
    expect_refused(send(site.operators_port, f"GET {path} HTTP/1.0\r\n\r\n".encode()), "none")
    for host in ("localhost", "localhost:8090", "127.0.0.1:8090", "[::1]", "nginx:8090"):
        assert ask(site.operators_port, path, host).status in (200, 404), host  # no figures without Prometheus


def test_operators_may_name_hosts_of_their_own(manned: Front, tmp_path: Path) -> None:
    with behind_nginx(manned.web0, tmp_path, {"PRIMES_OPERATORS_HOSTS": "ops.example"}) as site:
        assert ask(site.operators_port, "/dead-letters", "ops.example:8090").status == 200
        expect_refused(ask(site.operators_port, "/dead-letters", "evil.example"), "'evil.example'")
