"""Dead letters through a web process: anybody reads on the operators' port, an operator with the token retries and deletes."""

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.broker.finish import DeadLetter
from services.jobs import names
from services.jobs.messages import Job, decode_jobs
from services.jobs.names import Lane
from services.web.operators.dead_letters import LISTED
from services.web.operators.guesses import FREE, PERIOD
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVY
from tests.integration.processes import frozen
from tests.integration.stack import Response, Web
from tests.integration.steps import Inbox
from tests.integration.waiting import wait_until
from tests.integration.web.behind_nginx import behind_nginx

ENDS_ITS_CHILD = "no number"  # what no web process writes


class Page:
    """Asks a web process as the operators' page does."""

    def __init__(self, front: Front, web: Web) -> None:
        self._admin = front.redis.admin
        self.web = web
        self.token = (front.redis.operators_access / "token").read_text().strip()

    def ask(self, method: str, path: str, authorization: str = "") -> Response:
        """One request to the operators' port."""
        return ask(self.web.metrics_port, method, path, {"Authorization": authorization} if authorization else {})

    def change(self, method: str, path: str) -> Response:
        """One request with the token."""
        return self.ask(method, path, f"Bearer {self.token}")

    def retry(self, id: str) -> Response:
        return self.change("POST", f"/dead-letters/{id}/retry")

    def ids(self) -> list[str]:
        """The letters that are listed."""
        answer = self.ask("GET", "/dead-letters")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        return [letter["id"] for letter in answer.json["letters"]]

    def set_aside(self, job: Job | bytes, lane: Lane = Lane.HEAVY) -> str:
        """Write a dead letter as a worker does; returns its id."""
        fields = dict(zip(("lane", "jobs", "reason", "worker"), DeadLetter(job, "a test", "nobody").fields(lane), strict=True))
        return str(self._admin.xadd(names.DEAD, fields).decode())


def ask(port: int, method: str, path: str, headers: dict[str, str]) -> Response:
    """One request."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Response(response.status, dict(response.headers), response.read())


@pytest.fixture
def page(front: Front) -> Iterator[Page]:
    """Of the shared front's web process; no letter is there before, nothing was denied after."""
    front.wait_ready()
    front.redis.admin.delete(names.DEAD)
    front.redis.admin.execute_command("ACL", "LOG", "RESET")
    yield Page(front, front.web0)
    assert front.redis.admin.execute_command("ACL", "LOG") == []
    front.redis.admin.delete(names.DEAD)


def test_a_letter_is_listed_as_the_command_shows_it(page: Page) -> None:
    id = page.set_aside(Job(1, HEAVY, session="a token"))
    answer = page.ask("GET", "/dead-letters")
    (letter,) = answer.json["letters"]
    assert answer.json["count"] == 1
    assert letter.pop("when")
    number = f"{HEAVY[:10]}…{HEAVY[-10:]} ({len(HEAVY)} digits)"
    assert letter == {
        **{"id": id, "lane": "heavy", "number": number, "operation": "is_prime", "reason": "a test", "worker": "nobody"},
        "obstacle": "",
    }
    assert b"a token" not in answer.body
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_oldest_are_listed_and_all_are_counted(page: Page) -> None:
    ids = [page.set_aside(Job(1, str(number))) for number in range(LISTED + 5)]
    assert page.ids() == ids[:LISTED]
    assert page.ask("GET", "/dead-letters").json["count"] == LISTED + 5


def test_a_letter_that_is_retried_is_gone_and_its_job_is_done(front: Front, page: Page) -> None:
    id = page.set_aside(Job(1, HEAVY, session="a token", request="1", expires=1), Lane.QUICK)
    with Inbox(front.redis):
        answer = page.retry(id)
        assert (answer.status, answer.json) == (202, {"retried": id, "lane": "heavy"})  # never in a worker's own process
    ((_, fields),) = front.redis.admin.xrange(names.stream(Lane.HEAVY))
    assert decode_jobs(fields[b"jobs"]) == [Job(1, HEAVY)]
    assert page.ids() == []
    assert page.retry(id).status == 404
    worker = front.worker("late")
    front.wait_ready(worker)
    done = {"lane": "heavy", "verdict": "probably_prime"}
    wait_until(lambda: worker.metric("primes_worker_jobs_total", **done) == 1, "the job is done")
    assert f"an operator put the dead letter {id} back into the lane heavy" in page.web.tail()


def test_a_job_that_fails_again_is_a_new_letter(manned: Front, page: Page) -> None:
    worker = manned.worker("first", "--max-deliveries", "1")
    manned.wait_ready(worker)
    old = page.set_aside(Job(1, ENDS_ITS_CHILD))
    assert page.retry(old).status == 202
    (new,) = wait_until(page.ids, "it is set aside again")
    assert new != old


def test_a_letter_that_is_deleted_is_gone(page: Page) -> None:
    first, second = (page.set_aside(Job(1, number)) for number in ("7", "8"))
    answer = page.change("DELETE", f"/dead-letters/{first}")
    assert (answer.status, answer.json) == (200, {"deleted": first})
    assert page.ids() == [second]
    assert f"an operator deleted the dead letter {first}" in page.web.tail()


def test_an_id_that_is_not_there_or_none_is_told(page: Page) -> None:
    for method, end in (("POST", "/retry"), ("DELETE", "")):
        answer = page.change(method, f"/dead-letters/1-1{end}")
        assert (answer.status, answer.json["error"]["code"]) == (404, "no_such_letter")
        assert answer.json["error"]["message"].startswith("1-1: no such dead letter")
        for id in ("1", "", "a-b", "%2d-1", "18446744073709551616-0", "1-0%0d%0a"):
            answer = page.change(method, f"/dead-letters/{id}{end}")
            assert (answer.status, answer.json["error"]["code"]) == (400, "no_id"), id
            assert "expected an id such as 1795452075294-0, got " in answer.json["error"]["message"]


def test_an_unreadable_letter_is_shown_kept_and_deleted(page: Page) -> None:
    id = page.set_aside(b"\xc1\x00", Lane.QUICK)
    (letter,) = page.ask("GET", "/dead-letters").json["letters"]
    assert letter["number"] == "unreadable: 2 bytes c100"
    assert letter["obstacle"] == "cannot be retried: expected a batch of jobs, got 2 bytes c100"
    answer = page.retry(id)
    assert (answer.status, answer.json["error"]["code"]) == (409, "cannot_be_retried")
    assert answer.json["error"]["message"] == f"{id} {letter['obstacle']}"
    assert page.ids() == [id]
    assert page.change("DELETE", f"/dead-letters/{id}").status == 200
    assert page.ids() == []


NOT_ALLOWED = {
    "": "no_token",
    "Basic b3BlcmF0b3I6eA==": "no_token",
    "TOKEN": "no_token",
    "Bearer": "wrong_token",
    "Bearer ": "wrong_token",
    "Bearer wrong": "wrong_token",
    "Bearer \xe4\xff": "wrong_token",
    "Bearer TOKENx": "wrong_token",
}


def test_nothing_is_changed_without_the_token(page: Page) -> None:
    id = page.set_aside(Job(1, HEAVY))
    changes = (("POST", f"/dead-letters/{id}/retry"), ("DELETE", f"/dead-letters/{id}"), ("DELETE", "/dead-letters/1-1"))
    for authorization, code in NOT_ALLOWED.items():
        for method, path in changes:
            answer = page.ask(method, path, authorization.replace("TOKEN", page.token))
            assert (answer.status, answer.json["error"]["code"]) == (401, code), authorization
            assert answer.headers["Www-Authenticate"] == 'Bearer realm="operators"'
            assert answer.json["error"]["message"].startswith("This changes something: expected the operators' token")
    assert page.ids() == [id]


def test_the_scheme_is_read_in_any_case(page: Page) -> None:
    id = page.set_aside(Job(1, "7"))
    assert page.ask("DELETE", f"/dead-letters/{id}", f"bearer  {page.token}").status == 200


def test_other_methods_are_refused(page: Page) -> None:
    for method, path, allowed in (
        ("POST", "/dead-letters", "HEAD, GET"),
        ("GET", "/dead-letters/1-1", "DELETE"),
        ("GET", "/dead-letters/1-1/retry", "POST"),
        ("OPTIONS", "/dead-letters/1-1/retry", "POST"),  # so no page of another origin may send the header
    ):
        answer = page.ask(method, path, f"Bearer {page.token}")
        assert (answer.status, answer.headers["Allow"], answer.json["error"]["code"]) == (405, allowed, "http_405")
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_nothing_of_it_is_on_the_clients_port(page: Page) -> None:
    assert page.web.get("/dead-letters").status == 404


def test_a_redis_that_does_not_answer_is_told(front: Front, page: Page) -> None:
    id = page.set_aside(Job(1, HEAVY))
    assert front.redis.program
    with frozen(front.redis.program.pid):
        for answer in (page.ask("GET", "/dead-letters"), page.retry(id)):
            assert (answer.status, answer.json["error"]["code"]) == (503, "unavailable")
            assert "Redis did not answer within 3 s" in answer.json["error"]["message"]
    wait_until(lambda: page.ask("GET", "/dead-letters").status == 200, "it is asked again")
    front.redis.admin.xtrim(names.stream(Lane.HEAVY), maxlen=0)  # whether the job is there depends on what Redis had read


def test_a_full_redis_leaves_the_letter_where_it_is(front: Front, page: Page) -> None:
    id = page.set_aside(Job(1, HEAVY))
    front.redis.admin.config_set("maxmemory", 1)
    try:
        answer = page.retry(id)
        assert (answer.status, "used memory > 'maxmemory'" in answer.json["error"]["message"]) == (503, True)
    finally:
        front.redis.admin.config_set("maxmemory", 0)
    assert page.ids() == [id]
    assert front.redis.length(Lane.HEAVY) == 0


def test_a_web_process_without_the_files_says_so_and_serves_clients(front: Front, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "token").write_text("\n")
    (tmp_path / "empty" / "password").write_text("secret")
    for name, options, said in (
        ("none", (), "--operators-access (PRIMES_OPERATORS_ACCESS) names no folder"),
        ("absent", ("--operators-access", str(tmp_path / "absent")), "expected the readable files token and password in "),
        ("empty", ("--operators-access", str(tmp_path / "empty")), "expected a token in "),
    ):
        web = front.web(name, *options)
        front.wait_ready(web)
        for method, path in (("GET", "/dead-letters"), ("POST", "/dead-letters/1-1/retry"), ("DELETE", "/dead-letters/1-1")):
            answer = Page(front, web).ask(method, path, "Bearer ")
            assert (answer.status, answer.json["error"]["code"]) == (404, "not_configured")
            assert answer.json["error"]["message"].startswith("Dead letters are not configured in this web process: ")
            assert said in answer.json["error"]["message"]
        assert web.get("/healthz").status == 200


def test_the_password_of_another_start_is_told_as_what_it_is(front: Front, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a token")
    (tmp_path / "password").write_text("of yesterday")
    web = front.web("stale", "--operators-access", str(tmp_path))
    front.wait_ready(web)
    answer = Page(front, web).ask("GET", "/dead-letters")
    assert (answer.status, "invalid username-password pair" in answer.json["error"]["message"]) == (503, True)
    front.redis.admin.execute_command("ACL", "LOG", "RESET")


def test_two_web_processes_put_a_job_back_once(front: Front, page: Page) -> None:
    other = front.web("web1", "--operators-access", str(front.redis.operators_access))
    front.wait_ready(other)
    ids = [page.set_aside(Job(1, str(number))) for number in range(20)]
    statuses = [asked.retry(id).status for id in ids for asked in (page, Page(front, other))]
    assert (statuses.count(202), statuses.count(404)) == (20, 20)
    assert front.redis.length(Lane.HEAVY) == 20
    assert json.loads(page.ask("GET", "/dead-letters").body) == {"count": 0, "letters": []}
    front.redis.admin.xtrim(names.stream(Lane.HEAVY), maxlen=0)


def test_who_guesses_the_token_is_slowed_down_and_nobody_else_is(front: Front, tmp_path: Path) -> None:
    web = front.web("guessed", "--operators-access", str(front.redis.operators_access), "--behind-proxy")
    front.wait_ready(web)
    page = Page(front, web)
    with behind_nginx(web, tmp_path) as site:
        # what clients say of their address is not believed: all these guesses are of one
        guesses = [guess(site.operators_port, f"wrong {number}", f"192.0.2.{number}") for number in range(FREE + 20)]
        assert [answer.status for answer in guesses[:FREE]] == [401] * FREE
        slowed = [answer for answer in guesses if answer.status == 429]
        assert len(slowed) >= 10  # one is looked at each 3 s
        assert all(1 <= int(answer.headers["Retry-After"]) <= PERIOD for answer in slowed)
        error = slowed[-1].json["error"]
        assert (error["code"], error["retryable"]) == ("too_many_guesses", True)
        assert error["message"].startswith("Too many wrong tokens came from 127.0.0.1: the next one is looked at in ")
        wait_until(lambda: guess(site.operators_port, page.token).status == 404, "the operator of that address is let in")
    assert page.ask("DELETE", "/dead-letters/1-1", "Bearer wrong").status == 401
    elsewhere = {"Authorization": f"Bearer {page.token}", "X-Real-IP": "192.0.2.1"}  # as nginx tells of somebody else
    assert ask(web.metrics_port, "DELETE", "/dead-letters/1-1", elsewhere).status == 404


def guess(port: int, token: str, claimed: str = "") -> Response:
    """One request with this token, which names a letter that is not there."""
    return ask(
        port, "DELETE", "/dead-letters/1-1", {"Authorization": f"Bearer {token}", "X-Real-IP": claimed, "X-Forwarded-For": claimed}
    )
