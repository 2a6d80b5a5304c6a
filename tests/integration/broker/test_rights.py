"""Processes work only with users of Redis who may do all that they need."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.access.probes import probes
from services.jobs.names import Lane
from tests.integration.plain_clients import HEAVY, ask_all, question, questions
from tests.integration.stack import Service, Stack
from tests.integration.steps import asking
from tests.integration.waiting import wait_until

OUTDATED = {"status": "Redis' users lack rights that this version needs"}
REFUSED = {"status": "Redis refuses this process' user or password"}
RIGHTS = ["-rpush", "-xinfo|groups", "-acl|dryrun", "resetkeys ~{primes}:jobs:*", "resetchannels &primes:results:*"]
Start = Callable[[Stack], Service]


def waits(service: Service) -> bool:
    """Whether it runs, and says that it waits for its rights."""
    assert service.running, service.tail()
    return service.get("/readyz").json == OUTDATED


@pytest.mark.parametrize("user", ["web", "worker"])
def test_every_right_that_a_process_asks_about_is_one_that_its_user_has(stack: Stack, user: str) -> None:
    stack.redis.start()
    with stack.redis.client(user) as client:
        said = {words: client.execute_command("ACL DRYRUN", user, *words) for words in probes(user)}
    assert {words: reply for words, reply in said.items() if reply != b"OK"} == {}


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize("user", ["web", "worker"])
def test_a_process_whose_user_lacks_a_right_waits_for_it_and_is_not_ready(stack: Stack, user: str, right: str) -> None:
    stack.redis.start()
    stack.redis.admin.execute_command("ACL SETUSER", user, *right.split())
    service = stack.web() if user == "web" else stack.worker()
    wait_until(lambda: waits(service), "it waits")
    assert "has no permissions to" in service.tail()
    stack.redis.admin.execute_command("ACL LOAD")
    stack.wait_ready()


def test_the_log_names_each_right_that_is_missing_once(stack: Stack) -> None:
    stack.redis.start()
    stack.redis.admin.execute_command("ACL SETUSER", "worker", "-rpush", "-xack")
    worker = stack.worker()
    wait_until(lambda: waits(worker), "it waits")
    stack.redis.admin.execute_command("ACL LOAD")
    stack.wait_ready()
    (line,) = [line for line in worker.tail().splitlines() if "waits for them" in line]
    assert "the 'rpush' command" in line and "the 'xack' command" in line and "hget" not in line


@pytest.mark.parametrize("start", [lambda stack: stack.web(), lambda stack: stack.worker()], ids=["web", "worker"])
def test_a_process_that_waits_for_rights_ends_when_it_is_told_to(stack: Stack, start: Start) -> None:
    stack.redis.start()
    for user in ("web", "worker"):
        stack.redis.admin.execute_command("ACL SETUSER", user, "-rpush")
    service = start(stack)
    wait_until(lambda: waits(service), "it waits")
    service.send(signal.SIGTERM)
    assert service.wait() == 0


def test_what_a_web_process_takes_while_it_waits_is_answered_afterwards(stack: Stack) -> None:
    stack.redis.start()
    stack.redis.admin.execute_command("ACL SETUSER", "web", "-xadd")
    web, worker = stack.web(), stack.worker()
    wait_until(lambda: waits(web), "it waits")
    stack.wait_ready(worker)
    with ThreadPoolExecutor() as threads:
        tally = threads.submit(ask_all, [(web.url, [*questions(100, 5), question(97)])])
        wait_until(lambda: web.pending == 101, "it took all")
        stack.redis.admin.execute_command("ACL LOAD")
        assert tally.result().clean


@pytest.mark.parametrize("user", ["web", "worker"])
def test_a_process_whose_password_redis_refuses_says_so_and_waits(stack: Stack, user: str) -> None:
    stack.redis.start()
    stack.redis.admin.execute_command("ACL SETUSER", user, "resetpass", ">another")
    service = stack.web() if user == "web" else stack.worker()
    wait_until(lambda: service.get("/readyz").json == REFUSED, "it says why it waits")
    assert service.running, service.tail()
    stack.redis.admin.execute_command("ACL LOAD")
    stack.wait_ready()


def test_who_waits_when_a_web_process_fails_for_a_right_that_was_taken_away_is_told(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web()
    stack.wait_ready()
    with asking(web, HEAVY) as (waiting,):
        wait_until(lambda: stack.redis.length(Lane.HEAVY) == 1, "one question is in the queue")
        stack.redis.admin.execute_command("ACL SETUSER", "web", "-xadd")
        with asking(web, "97") as (fatal,):
            told = [(response.status, response.json["error"]["code"]) for response in (waiting.result(), fatal.result())]
    assert told == [(503, "going_away")] * 2
    assert web.wait() == 1
