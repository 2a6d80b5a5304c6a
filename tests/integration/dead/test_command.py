"""Operators list, retry and delete dead letters; what is retried is neither lost nor doubled."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from services.broker.finish import DeadLetter
from services.jobs import names
from services.jobs.messages import Job, decode_jobs
from services.jobs.names import GROUP, Lane
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVY, SLOW_COMPOSITE, ask_all, questions
from tests.integration.processes import ROOT
from tests.integration.redis_server import RedisServer
from tests.integration.stack import Stack, Web, Worker
from tests.integration.steps import Inbox, asking, kill_children
from tests.integration.uploading import lines, post, text
from tests.integration.waiting import wait_until

ENDS_ITS_CHILD = "no number"  # what no web process writes
SHORT = f"{SLOW_COMPOSITE[:10]}…{SLOW_COMPOSITE[-10:]} (9,526 digits)"  # as a number of that length is shown
NONE = "No dead letters.\n"


class Operator:
    """Gives the command, with the settings in the environment as they are in the worker's container."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis
        bare = {name: value for name, value in os.environ.items() if not name.startswith("PRIMES_")}
        access = {"PRIMES_REDIS_USER": "worker", "PRIMES_REDIS_PASSWORD_FILE": str(redis.password_file("worker"))}
        self._environment = {**bare, "PRIMES_REDIS_URL": f"unix://{redis.socket}", **access}

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        """Begin, and do not wait for the end."""
        return subprocess.Popen(
            [sys.executable, "-m", "services.worker.dead", *arguments],
            cwd=ROOT, env=self._environment, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def give(self, *arguments: str) -> tuple[int, str, str]:
        """Status, standard output and standard error."""
        return end(self.start(*arguments))

    def ids(self) -> list[str]:
        """The letters that `list` shows."""
        status, out, err = self.give("list", "--json")
        assert (status, err) == (0, "")
        return [json.loads(line)["id"] for line in out.splitlines()]

    def set_aside(self, job: Job | bytes, lane: Lane = Lane.HEAVY) -> str:
        """Write a dead letter as a worker does; returns its id."""
        parts = DeadLetter(job, "a test", "nobody").fields(lane)
        fields = dict(zip(("lane", "jobs", "reason", "worker"), parts, strict=True))
        return self._redis.admin.xadd(names.DEAD, fields).decode()


def end(command: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Status, standard output and standard error."""
    out, err = command.communicate(timeout=60)
    return command.returncode, out, err


@pytest.fixture
def operator(shared: Front) -> Iterator[Operator]:
    """Of the shared front; no letter is there before, nothing was denied after."""
    shared.redis.admin.delete(names.DEAD)
    shared.redis.admin.execute_command("ACL", "LOG", "RESET")
    yield Operator(shared.redis)
    assert shared.redis.admin.execute_command("ACL", "LOG") == []
    shared.redis.admin.delete(names.DEAD)


def poison(web: Web, worker: Worker) -> None:
    """Ask for a number and end the child that computes it; the worker gives it one chance."""
    with asking(web, SLOW_COMPOSITE) as (request,):
        kill_children(worker, 1)
        response = request.result()
    assert (response.status, response.json["error"]["code"]) == (500, "poison")


def test_a_job_is_set_aside_listed_retried_and_gone(front: Front, operator: Operator) -> None:
    worker = front.worker("first", "--max-deliveries", "1")
    front.wait_ready()
    assert operator.give("list") == (0, NONE, "")
    poison(front.web0, worker)
    assert ask_all([(front.web0.url, questions(100, 1))]).clean

    status, out, err = operator.give("list")
    header, row = out.splitlines()
    assert (status, err) == (0, "")
    assert header.split() == ["id", "when", "(UTC)", "lane", "number", "operation", "reason", "worker"]
    assert f"heavy  {SHORT}  is_prime   child process ended by SIGKILL, 1 times  first-" in row
    (record,) = map(json.loads, operator.give("list", "--json")[1].splitlines())
    assert record["jobs"] == [{"number": SLOW_COMPOSITE, "operation": "is_prime", "expression": False}]

    status, out, err = operator.give("retry", record["id"])
    assert (status, err) == (0, "")
    assert out.startswith(f"{record['id']}  {SHORT}: composite (")
    assert operator.give("list") == (0, NONE, "")


def test_a_retried_job_that_ends_its_child_again_is_a_new_letter(manned: Front, operator: Operator) -> None:
    worker = manned.worker0
    old = operator.set_aside(Job(1, ENDS_ITS_CHILD), Lane.QUICK)

    status, out, err = operator.give("retry", "--all")

    assert (status, err) == (1, "")
    assert (
        out == f"{old}  {ENDS_ITS_CHILD}: failed, poison: The job ended the process that ran it, several times, and was set aside\n"
    )
    (new,) = operator.ids()
    assert new != old
    (letter,) = manned.redis.dead_letters()
    assert (letter[b"lane"], letter[b"reason"]) == (b"heavy", b"child process ended by status 1, 3 times")
    assert worker.running  # a quick job would have ended the worker itself


def test_a_retried_job_is_nobodys_and_has_time(manned: Front, operator: Operator) -> None:
    past = Job(1, HEAVY, session="a token", request="1", expires=1)
    operator.set_aside(past)
    status, out, _ = operator.give("retry", "--all")
    assert status == 0 and ": probably_prime (BPSW and Miller-Rabin)" in out
    assert not manned.redis.admin.exists(names.session("a token"), names.history("a token"))


def test_lines_of_an_upload_are_retried_too(front: Front, operator: Operator) -> None:
    worker = front.worker("first", "--max-deliveries", "1")
    front.wait_ready()
    location = post(front.web0.port, text(["2", SLOW_COMPOSITE, "3"]), {"Prefer": "respond-async"}).headers["Location"]
    kill_children(worker, 1)
    told = lines(front.web0.get(location).body)
    assert told[1]["error"]["code"] == "poison"

    (id,) = operator.ids()
    status, out, _ = operator.give("retry", id)

    assert (status, out.partition(": ")[2].partition(" (")[0]) == (0, "composite")
    assert operator.ids() == []
    assert lines(front.web0.get(location).body) == told  # its client has its answer


def test_a_chunk_with_which_too_many_workers_ended_leaves_a_letter_for_each_line(manned: Front, operator: Operator) -> None:
    stream, admin = names.stream(Lane.QUICK), manned.redis.admin
    os.kill(manned.worker0.pid, signal.SIGSTOP)
    wait_until(lambda: admin.info("clients")["blocked_clients"] == 0, "the worker's last read is over")
    location = post(manned.web0.port, text(["2", "91", "97"]), {"Prefer": "respond-async"}).headers["Location"]
    ((_, ((entry, _),)),) = admin.xreadgroup(GROUP, "ghost", {stream: ">"})
    admin.xclaim(stream, GROUP, "ghost", 0, [entry], idle=3_600_000, justid=True)
    attempts = names.attempts(Lane.QUICK, entry.decode())
    admin.hset(attempts, mapping={f"ghost {n} {line}": line for n in range(3) for line in range(3)})
    admin.expire(attempts, names.ATTEMPTS_TTL)
    os.kill(manned.worker0.pid, signal.SIGCONT)
    assert [line["error"]["code"] for line in lines(manned.web0.get(location).body)[:-1]] == ["poison"] * 3

    assert len(operator.ids()) == 3
    status, out, _ = operator.give("retry", "--all")

    assert status == 0
    found = {line.split()[1].rstrip(":"): line.split()[2] for line in out.splitlines()}
    assert found == {"2": "prime", "91": "composite", "97": "prime"}
    assert operator.ids() == []


def test_without_a_worker_the_wait_ends_and_the_job_is_done_later(front: Front, operator: Operator) -> None:
    id = operator.set_aside(Job(1, HEAVY))

    status, out, err = operator.give("retry", id, "--timeout", "6", "--redis-timeout", "3")

    assert (status, out) == (1, "")
    assert f"{id}: no answer within 6 s to 1000000000…0000000231 (183 digits)" in err
    assert "waits in the queue or is under way, and goes on" in err
    assert operator.ids() == []
    worker = front.worker("late")
    done = {"lane": "heavy", "verdict": "probably_prime"}
    wait_until(lambda: worker.metric("primes_worker_jobs_total", **done) == 1, "the job is done")


def test_ctrl_c_leaves_the_job_going_and_says_so(front: Front, operator: Operator) -> None:
    operator.set_aside(Job(1, HEAVY))
    command = operator.start("retry", "--all")
    wait_until(lambda: front.redis.length(Lane.HEAVY) == 1, "the job is back in its lane")

    command.send_signal(signal.SIGINT)

    status, out, err = end(command)
    assert (status, out) == (130, "")
    assert err == "python -m services.worker.dead: what was put back goes on; its answers are not shown\n"
    front.worker("late")
    wait_until(lambda: front.redis.length(Lane.HEAVY) == 0, "the job is done")


def test_no_wait_puts_back_and_ends(front: Front, operator: Operator) -> None:
    for number in ("7", HEAVY):
        operator.set_aside(Job(1, number))
    with Inbox(front.redis):
        assert operator.give("retry", "--all", "--no-wait") == (0, "Put back 2.\n", "")
    entries = front.redis.admin.xrange(names.stream(Lane.HEAVY))
    assert [decode_jobs(fields[b"jobs"]) for _, fields in entries] == [[Job(1, "7")], [Job(2, HEAVY)]]
    assert operator.ids() == []
    front.worker("late")
    wait_until(lambda: front.redis.length(Lane.HEAVY) == 0, "the jobs are done")


def test_two_operators_put_each_job_back_once(front: Front, operator: Operator) -> None:
    for number in range(200):
        operator.set_aside(Job(1, str(number)))
    both = [operator.start("retry", "--all", "--no-wait") for _ in range(2)]
    for command in both:
        end(command)
    entries = front.redis.admin.xrange(names.stream(Lane.HEAVY))
    numbers = [job.number for _, fields in entries for job in decode_jobs(fields[b"jobs"])]
    assert sorted(map(int, numbers)) == list(range(200))
    assert operator.ids() == []
    front.redis.admin.xtrim(names.stream(Lane.HEAVY), maxlen=0)


def test_an_unreadable_letter_is_shown_kept_and_deleted(manned: Front, operator: Operator) -> None:
    with Inbox(manned.redis) as inbox:
        inbox.put_raw(Lane.QUICK, {"reply": inbox.NAME, "jobs": b"\xc1\x00"})
        (id,) = wait_until(operator.ids, "the entry is set aside")

    out = operator.give("list")[1]
    assert "unreadable: 2 bytes c100" in out and "unreadable entry: " in out
    said = f"{id}: cannot be retried: expected a batch of jobs, got 2 bytes c100"
    assert operator.give("retry", id) == (1, "", f"python -m services.worker.dead: {said}\n")
    assert operator.ids() == [id]
    assert operator.give("delete", "--yes", id) == (0, "Deleted 1.\n", "")
    assert operator.give("list") == (0, NONE, "")


def test_an_id_that_is_not_there_holds_up_no_other(manned: Front, operator: Operator) -> None:
    first, second = (operator.set_aside(Job(1, number)) for number in ("7", "8"))

    status, out, err = operator.give("retry", "1-1", first)
    assert (status, err) == (1, "python -m services.worker.dead: 1-1: no such dead letter\n")
    assert out.startswith(f"{first}  7: prime (")

    status, out, err = operator.give("delete", "--yes", first, second)
    assert (status, out) == (1, "Deleted 1.\n")
    assert err == f"python -m services.worker.dead: {first}: no such dead letter\n"
    assert operator.ids() == []


@pytest.mark.usefixtures("front")
def test_lists_page_by_page_up_to_a_limit(operator: Operator) -> None:
    ids = [operator.set_aside(Job(1, str(number))) for number in range(40)]

    assert operator.ids() == ids
    out = operator.give("list", "--limit", "35")[1].splitlines()
    assert [line.split()[0] for line in out[1:-1]] == ids[:35]
    assert out[-1] == "The oldest 35 of 40."
    assert len(operator.give("list", "--json", "--limit", "3")[1].splitlines()) == 3
    assert operator.give("delete", "--all", "--yes") == (0, "Deleted 40.\n", "")
    assert operator.give("delete", "--all", "--yes") == (0, NONE, "")
    assert operator.give("retry", "--all") == (0, NONE, "")


@pytest.mark.usefixtures("front")
def test_delete_asks_on_a_terminal_and_refuses_without(operator: Operator) -> None:
    id = operator.set_aside(Job(1, "7"))
    status, _, err = operator.give("delete", id)
    assert (status, "expected --yes, since standard input is no terminal" in err) == (2, True)

    assert at_a_terminal(operator, b"n\n", "delete", "--all") == (1, "Delete all dead letters for good? [y/N] ")
    assert operator.ids() == [id]
    assert at_a_terminal(operator, b"y\n", "delete", id) == (0, "Delete 1 dead letters for good? [y/N] Deleted 1.\n")
    assert operator.ids() == []


def at_a_terminal(operator: Operator, typed: bytes, *arguments: str) -> tuple[int, str]:
    """Status and output of a command whose question is answered so."""
    ours, theirs = pty.openpty()
    try:
        command = operator.start(*arguments, stdin=theirs)
        os.write(ours, typed)
        status, out, _ = end(command)
    finally:
        os.close(ours)
        os.close(theirs)
    return status, out


@pytest.mark.usefixtures("front")
def test_a_reader_that_leaves_ends_the_list_quietly(operator: Operator) -> None:
    for _ in range(40):
        operator.set_aside(Job(1, "7" * 20_000))
    command = operator.start("list", "--json")
    assert command.stdout and command.stderr
    command.stdout.read(1)
    command.stdout.close()
    assert command.stderr.read() == ""
    assert command.wait(30) == 1
    command.stderr.close()


@pytest.mark.usefixtures("front")
def test_a_list_that_cannot_be_written_is_told_in_a_line(operator: Operator) -> None:
    operator.set_aside(Job(1, "7"))
    with open("/dev/full", "w") as full:
        status, _, err = end(operator.start("list", stdout=full.fileno()))
    assert (status, err) == (1, "python -m services.worker.dead: could not write to standard output: No space left on device\n")


def test_without_redis_it_says_so(stack: Stack) -> None:
    status, out, err = Operator(stack.redis).give("list")
    assert (status, out) == (1, "")
    assert err.startswith(f"python -m services.worker.dead: could not ask Redis at unix://{stack.redis.socket}: ")
    assert len(err.splitlines()) == 1
    status, _, err = Operator(stack.redis).give("list", "--redis-url", "redis://worker:secret@127.0.0.1:port")
    assert (status, "--redis-url (PRIMES_REDIS_URL): " in err, "secret" in err) == (2, True, False)
    status, _, err = Operator(stack.redis).give("list", "--redis-url", "redis://worker:se/cret@127.0.0.1:1")
    assert "cret" not in err


def test_a_redis_that_goes_away_is_told_and_the_job_goes_on(stack: Stack) -> None:
    stack.redis.start()
    operator = Operator(stack.redis)
    operator.set_aside(Job(1, HEAVY))
    command = operator.start("retry", "--all")
    wait_until(lambda: stack.redis.length(Lane.HEAVY) == 1, "the job is back in its lane")
    stack.redis.stop()
    status, _, err = end(command)
    assert status == 1
    assert "what was put back goes on" in err and "could not ask Redis at " in err
    stack.redis.start()
    assert (stack.redis.length(Lane.HEAVY), stack.redis.dead_letters()) == (1, [])


def test_a_full_redis_leaves_the_letter_where_it_is(stack: Stack) -> None:
    stack.redis.start()
    operator = Operator(stack.redis)
    id = operator.set_aside(Job(1, HEAVY))
    stack.redis.admin.config_set("maxmemory", 1)
    status, _, err = operator.give("retry", id)
    assert (status, "used memory > 'maxmemory'" in err) == (1, True)
    assert operator.ids() == [id]
    assert stack.redis.length(Lane.HEAVY) == 0


def test_another_user_of_redis_is_refused(shared: Front) -> None:
    operator = Operator(shared.redis)
    as_web = ("--redis-user", "web", "--redis-password-file", str(shared.redis.password_file("web")))
    status, _, err = operator.give("list", *as_web)
    assert (status, "could not ask Redis at " in err, "{primes}:dead" not in err) == (1, True, True)
    status, _, err = operator.give("list", "--redis-password-file", "missing")
    assert (status, "--redis-password-file (PRIMES_REDIS_PASSWORD_FILE): Expected a readable file" in err) == (2, True)
