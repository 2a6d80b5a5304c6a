"""What health checks send, HEAD and HTTP/1.0 without a Host: asked of a web process, its operators' port, and nginx before both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Front
from tests.integration.web.behind_nginx import Site, behind_nginx, send, send_raw

ROUTES = [
    "/healthz",
    "/readyz",
    "/primes/97",
    "/primes/x",
    "/certificates/" + "0" * 64,
    "/openapi.yaml",
    "/asyncapi.yaml",
    "/nothing",
]
FILES = ["/", "/static/page.js", "/favicon.ico", "/robots.txt"]
OPERATORS = ["/", "/operators.js", "/dead-letters"]
VARY = ("Date", "X-Request-Id", "Etag", "Content-Length")  # an answer's times have more digits or fewer


@pytest.fixture
def site(manned: Front, tmp_path: Path) -> Iterator[Site]:
    with behind_nginx(manned.web0, tmp_path) as site:
        yield site


def expect_the_same(port: int, path: str) -> None:
    """HEAD answers what GET answers, without a body."""
    request = f" {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    got, headed = send(port, b"GET" + request), send(port, b"HEAD" + request)
    assert headed.status == got.status, path
    assert headed.body == b""
    assert send_raw(port, b"HEAD" + request).endswith(b"\r\n\r\n")
    here, there = ({name: value for name, value in answer.headers.items() if name.title() not in VARY} for answer in (headed, got))
    assert here == there
    length = int(headed.headers["Content-Length"])
    assert abs(length - len(got.body)) < (1000 if "/metrics" in path else 10 if "/primes/97" in path else 1)


def test_head_is_answered_as_get_is_on_the_clients_port(manned: Front, site: Site) -> None:
    for path in ROUTES:
        expect_the_same(manned.web0.port, path)
        expect_the_same(site.port, path)


def test_head_is_answered_as_get_is_for_files_and_what_nginx_answers_itself(site: Site) -> None:
    for path in [*FILES, "/static/none", "/metrics"]:
        expect_the_same(site.port, path)


def test_head_is_answered_as_get_is_on_the_operators_port(manned: Front, site: Site) -> None:
    for path in ["/healthz", "/readyz", "/metrics", "/dead-letters"]:
        expect_the_same(manned.web0.metrics_port, path)
    for path in OPERATORS:
        expect_the_same(site.operators_port, path)


def test_an_upload_is_listed_to_head_without_its_lines(manned: Front, site: Site) -> None:
    head = (
        b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\n97\n"
    )
    location = send(site.port, head).headers["Location"]
    answer = send(site.port, f"HEAD {location}?timeout=0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "application/x-ndjson", b"")


def test_head_is_refused_where_there_is_no_get(manned: Front, site: Site) -> None:
    for port in (manned.web0.port, site.port):
        answer = send(port, b"HEAD /jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_http_1_0_without_a_host_is_answered(site: Site, method: str) -> None:
    for path in (*ROUTES, *FILES):
        expected = 404 if path in ("/nothing", "/certificates/" + "0" * 64) else 400 if path == "/primes/x" else 200
        assert send(site.port, f"{method} {path} HTTP/1.0\r\n\r\n".encode()).status == expected, path
