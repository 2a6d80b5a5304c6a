"""What Redis lets its users do: their own work and nothing else."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from redis.exceptions import AuthenticationError

from services.jobs import names
from services.jobs.names import GROUP, Lane
from tests.integration.conftest import Whole
from tests.integration.plain_clients import HEAVY, ask_all, question, questions
from tests.integration.processes import ROOT
from tests.integration.redis_server import RedisServer
from tests.integration.stack import Stack
from tests.integration.waiting import wait_until

STREAM = names.stream(Lane.QUICK)

EVERYBODY = {
    "flush all data": ("FLUSHALL",),
    "flush a database": ("FLUSHDB",),
    "read a foreign key": ("GET", "foreign"),
    "write a foreign key": ("SET", "foreign", "1"),
    "delete the queue": ("DEL", STREAM),
    "list the keys": ("KEYS", "*"),
    "see the settings": ("CONFIG", "GET", "*"),
    "see the users": ("ACL", "LIST"),
    "stop the server": ("SHUTDOWN", "NOSAVE"),
    "watch the others": ("MONITOR",),
    "publish elsewhere": ("PUBLISH", "foreign", "1"),
}
WEB = {
    "claim jobs": ("XREADGROUP", "GROUP", GROUP, "thief", "STREAMS", STREAM, ">"),
    "read dead letters": ("XRANGE", names.DEAD, "-", "+"),
    "append to a foreign stream": ("XADD", "foreign", "*", "a", "b"),
    "go round the rules by a script": ("EVAL", "return redis.call('FLUSHALL')", "0"),
    "read a foreign key by a script": ("EVAL", "return redis.call('GET', 'foreign')", "0"),
}
WORKER = {
    "delete the group": ("XGROUP", "DESTROY", STREAM, GROUP),
    "append to a foreign stream": ("XADD", "foreign", "*", "a", "b"),
    "go round the rules by a script": ("EVAL", "return redis.call('FLUSHALL')", "0"),
}
OPERATORS = {
    "delete jobs": ("XDEL", STREAM, "1-0"),
    "read jobs": ("XRANGE", STREAM, "-", "+"),
    "count jobs": ("XLEN", STREAM),
    "claim jobs": ("XREADGROUP", "GROUP", GROUP, "thief", "STREAMS", STREAM, ">"),
    "read a session": ("HGETALL", names.session("token")),
    "answer a client": ("PUBLISH", names.results("web0"), "1"),
    "delete jobs by a script": ("EVAL", "return redis.call('XDEL', KEYS[1], '1-0')", "1", STREAM),
    "go round the rules by a script": ("EVAL", "return redis.call('FLUSHALL')", "0"),
}
REDIS = {
    "append jobs": ("XADD", STREAM, "*", "a", "b"),
    "save the users": ("ACL", "SAVE"),
    "make a user": ("ACL", "SETUSER", "thief"),
}
SCALER = {
    "append jobs": ("XADD", STREAM, "*", "a", "b"),
    "read jobs": ("XRANGE", STREAM, "-", "+"),
    "count dead letters": ("XLEN", names.DEAD),
    "see the server": ("INFO",),
}
HEALTH = {"append jobs": ("XADD", STREAM, "*", "a", "b"), "see the server": ("INFO",)}

FORBIDDEN = [
    *(
        pytest.param(user, command, id=f"{user}: {what}")
        for user in ("web", "worker", "operators", "scaler", "health", "redis")
        for what, command in EVERYBODY.items()
    ),
    *(pytest.param("web", command, id=f"web: {what}") for what, command in WEB.items()),
    *(pytest.param("worker", command, id=f"worker: {what}") for what, command in WORKER.items()),
    *(pytest.param("operators", command, id=f"operators: {what}") for what, command in OPERATORS.items()),
    *(pytest.param("redis", command, id=f"redis: {what}") for what, command in REDIS.items()),
    *(pytest.param("scaler", command, id=f"scaler: {what}") for what, command in SCALER.items()),
    *(pytest.param("health", command, id=f"health: {what}") for what, command in HEALTH.items()),
]


@pytest.mark.parametrize(("user", "command"), FORBIDDEN)
def test_nobody_may(whole: Whole, user: str, command: tuple[str, ...]) -> None:
    with whole.redis.client(user) as client, pytest.raises(Exception, match=r"(?i)no permissions|can't (run|access)") as refusal:
        client.execute_command(*command)
    assert type(refusal.value).__name__ in {"NoPermissionError", "ResponseError"}  # the latter from within a script


def test_what_scales_workers_counts_the_entries_of_each_lane(whole: Whole) -> None:
    with whole.redis.client("scaler") as client:
        assert all(client.xlen(names.stream(lane)) >= 0 for lane in Lane)


def test_the_default_user_is_off(whole: Whole) -> None:
    with whole.redis.anybody() as client, pytest.raises(AuthenticationError):
        client.ping()


def test_a_wrong_password_is_refused(whole: Whole) -> None:
    with whole.redis.client("web", "wrong") as client, pytest.raises(AuthenticationError):
        client.ping()


def test_nothing_that_web_and_worker_do_is_denied(whole: Whole) -> None:
    assert ask_all([(web.url, [*questions(100, 5), question(int(HEAVY))]) for web in whole.webs]).clean

    denied = whole.redis.admin.execute_command("ACL", "LOG")
    ours = [entry for entry in denied if any(f"name={service.name}" in str(entry) for service in whole.services)]
    assert ours == []


def test_redis_reads_its_users_anew_and_closes_no_connection(whole: Whole) -> None:
    def listening() -> set[int]:
        return {int(client["id"]) for client in whole.redis.admin.client_list(_type="pubsub")}

    before = wait_until(lambda: found if len(found := listening()) == len(whole.services) else set(), "each process listens")
    whole.redis.make_users(ROOT, "--widen")
    with whole.redis.client("redis") as client:
        assert client.acl_load()
    assert ask_all([(web.url, questions(100, 6)) for web in whole.webs]).clean
    assert listening() == before


USERS = ("web", "worker", "operators", "exporter", "scaler", "health")  # of processes; the others are of whoever runs Redis


def printed(server: RedisServer, form: str) -> list[str]:
    """What `services.access` prints of users for the folder of this server."""
    command = [sys.executable, "-m", "services.access", server.password_file("web").parents[1], "--print", form]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def make_by_commands(server: RedisServer) -> None:
    for line in printed(server, "setuser"):
        assert server.admin.execute_command(*line.split())


def make_by_access_strings(server: RedisServer) -> None:
    """As a service that runs Redis for others does it: a name, a password, an access string."""
    for line in printed(server, "access-string"):
        user, rights = line.split(maxsplit=1)
        password = server.password_file(user).read_text().strip()
        assert server.admin.execute_command("ACL", "SETUSER", user, "reset", f">{password}", *rights.split())


@pytest.mark.parametrize("make", [make_by_commands, make_by_access_strings])
def test_the_stack_runs_with_users_made_from_what_is_printed(stack: Stack, make: Callable[[RedisServer], None]) -> None:
    def users() -> dict[str, str]:
        return {line.split()[1]: line for line in stack.redis.admin.acl_list() if line.split()[1] in USERS}

    stack.redis.start()
    by_file = users()
    stack.redis.admin.acl_deluser(*USERS)
    make(stack.redis)
    assert len(by_file) == len(USERS) and users() == by_file
    web = stack.web("web0", "--operators-access", str(stack.redis.operators_access))
    stack.worker()
    stack.wait_ready()
    assert ask_all([(web.url, [*questions(50, 7), question(int(HEAVY))])]).clean
    assert stack.redis.admin.execute_command("ACL", "LOG") == []
