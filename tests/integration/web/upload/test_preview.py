"""`POST /jobs/preview`: what a file is taken for is told, and nothing is kept of it."""

from pathlib import Path

import pytest

from tests.integration.conftest import Front
from tests.integration.uploading import post
from tests.integration.web.behind_nginx import behind_nginx

ABC = b"ABC $a*2^$b-1\n1 127\n3 x\n7 3\n1"


def test_a_file_is_looked_at_through_nginx_and_leaves_nothing(manned: Front, tmp_path: Path) -> None:
    with behind_nginx(manned.web0, tmp_path) as site:
        for port in (manned.web0.port, site.port):
            response = post(port, ABC, path="/jobs/preview?part=true")
            assert (response.status, response.headers["Content-Type"]) == (200, "application/json; charset=UTF-8")
            assert "Location" not in response.headers
            first, error, last = response.json.pop("first")
            assert response.json | {"first": []} == {"form": "ABC file", "numbers": 3, "complete": False, "first": []}
            assert (first, last) == ({"line": 2, "text": "1*2^127-1"}, {"line": 4, "text": "7*2^3-1"})
            assert error["line"] == 3 and error["error"]
    whole = post(manned.web0.port, b"number;note\n97;x\n91;y", path="/jobs/preview?column=number").json
    assert (whole["form"], whole["numbers"], whole["complete"]) == ("CSV, column number", 2, True)
    assert manned.web0.metric("primes_web_uploads_active") == 0


@pytest.mark.parametrize(
    ("query", "body", "status", "words"),
    [
        ("part=yes", b"97", 400, "part: expected true or false, got 'yes'"),
        ("part=false", b"<p>97</p>", 400, "got line 1: '<p>97</p>'"),
        ("part=true", b"7\n" * 40_000, 413, "Expected at most 65,536 bytes of a file to be looked at"),
        ("column=" + "x" * 201, b"7", 400, "column: expected at most 200 characters"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(manned: Front, query: str, body: bytes, status: int, words: str) -> None:
    response = post(manned.web0.port, body, path=f"/jobs/preview?{query}")
    assert response.status == status and words in response.json["error"]["message"]
    assert post(manned.web0.port, body, {"Content-Type": "text/html"}, path=f"/jobs/preview?{query}").status == 415
