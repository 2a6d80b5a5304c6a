"""A job that cannot be answered ends with an error that says why, and the jobs around it go on."""

from concurrent.futures import Future

import msgspec

from services.jobs import names
from services.jobs.messages import Fault, Job, Verdict, decode_jobs
from services.jobs.names import GROUP, Lane
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVY, HEAVY_COMPOSITE, NOT_PRIME, PRIME, SLOW, RawClient, ask_all, questions
from tests.integration.processes import frozen, state, thaw
from tests.integration.redis_server import RedisServer
from tests.integration.stack import Response, Worker
from tests.integration.steps import Inbox, asking, kill_children, warm
from tests.integration.waiting import wait_until

DELIVERIES = 3  # after so many a job is poison
# Nothing that a web process takes, at most a million digits, needs more than 10 MiB; this needs 130.
HUNGRY = "7" * 30_000_000


def new_letters(redis: RedisServer, known: int, count: int) -> list[dict[bytes, bytes]]:
    """The dead letters after the `known` first, once there are so many."""
    return wait_until(
        lambda: letters if len(letters := redis.dead_letters()[known:]) >= count else [], f"{count} dead letters were written"
    )


def error(request: "Future[Response]") -> tuple[int, str, str]:
    """Status, code and sentence of a request that failed."""
    response = request.result()
    return response.status, response.json["error"]["code"], response.json["error"]["message"]


def worker_counts(worker: Worker) -> tuple[float, float]:
    """Dead letters and deaths of child processes that a worker counted."""
    return worker.metric("primes_worker_dead_letters_total"), worker.metric("primes_worker_child_deaths_total")


def test_a_job_that_kills_its_child_three_times_becomes_a_dead_letter(manned: Front) -> None:
    known = len(manned.redis.dead_letters())
    worker = manned.worker0
    letters_told, deaths = worker_counts(worker)
    with RawClient(manned.web0.url) as client, asking(manned.web0, SLOW) as (waiting,):
        kill_children(worker, DELIVERIES)
        assert error(waiting) == (500, "poison", "The job ended the process that ran it, several times, and was set aside")

        for number in (SLOW, "7", HEAVY, "8"):
            client.send(number)
        others = ask_all([(manned.web0.url, questions(100, 3))])
        kill_children(worker, DELIVERIES)
        answers = list(client.messages(4))

    assert others.clean
    assert answers[0] == "No answer: The job ended the process that ran it, several times, and was set aside"
    assert answers[1:] == [PRIME, PRIME, NOT_PRIME]
    letters = new_letters(manned.redis, known, 2)
    assert [letter[b"reason"] for letter in letters] == [b"child process ended by SIGKILL, 3 times"] * 2
    assert [letter[b"lane"] for letter in letters] == [b"heavy"] * 2
    assert [decode_jobs(letter[b"jobs"])[0].number for letter in letters] == [SLOW] * 2
    assert worker_counts(worker) == (letters_told + 2, deaths + 2 * DELIVERIES)


def test_a_job_with_which_too_many_workers_ended_is_not_computed(manned: Front) -> None:
    known = len(manned.redis.dead_letters())
    redis = manned.redis.admin
    computed = manned.worker0.metric("primes_worker_compute_seconds_sum")
    with frozen(manned.worker0.pid):
        wait_until(lambda: redis.info("clients")["blocked_clients"] == 0, "the worker's last read is over")
        with asking(manned.web0, HEAVY, "97") as requests:
            for lane in (Lane.QUICK, Lane.HEAVY):
                stream = names.stream(lane)
                wait_until(lambda: manned.redis.length(lane) == 1, f"a job waits in the {lane} lane")  # noqa: B023  # waited for in this very turn
                ((_, ((id, fields),)),) = redis.xreadgroup(GROUP, "ghost", {stream: ">"})
                redis.xclaim(stream, GROUP, "ghost", 0, [id], idle=3_600_000, justid=True)
                (job,) = decode_jobs(fields[b"jobs"])
                attempts = names.attempts(lane, id.decode())
                redis.hset(attempts, mapping={f"ghost {n}": job.id for n in range(DELIVERIES)})
                redis.expire(attempts, names.ATTEMPTS_TTL)

            thaw(manned.worker0.pid)

            assert [error(request)[:2] for request in requests] == [(500, "poison")] * 2
    reasons = [letter[b"reason"] for letter in new_letters(manned.redis, known, 2)]
    assert reasons == [b"3 workers ended while they computed it"] * 2
    assert manned.worker0.metric("primes_worker_compute_seconds_sum") == computed


def test_a_job_that_went_from_one_living_worker_to_the_next_is_computed(manned: Front) -> None:
    redis = manned.redis.admin
    with frozen(manned.worker0.pid):
        wait_until(lambda: redis.info("clients")["blocked_clients"] == 0, "the worker's last read is over")
        with asking(manned.web0, HEAVY, "97") as requests:
            for lane in (Lane.QUICK, Lane.HEAVY):
                stream = names.stream(lane)
                wait_until(lambda: manned.redis.length(lane) == 1, f"a job waits in the {lane} lane")  # noqa: B023  # waited for in this very turn
                ((_, ((id, _),)),) = redis.xreadgroup(GROUP, "ghost", {stream: ">"})
                redis.xclaim(stream, GROUP, "ghost", 0, [id], idle=3_600_000, retrycount=100)

            thaw(manned.worker0.pid)

            assert [request.result().json["verdict"] for request in requests] == ["probably_prime", "prime"]


def test_an_unreadable_entry_is_set_aside(manned: Front) -> None:
    known = len(manned.redis.dead_letters())
    told, _ = worker_counts(manned.worker0)
    with Inbox(manned.redis) as inbox:
        for lane in Lane:
            inbox.put_raw(lane, {"reply": inbox.NAME, "jobs": b"\xc1 is never MessagePack"}, ring=False)
            inbox.put_raw(lane, {"note": "neither"}, ring=False)
            inbox.put_raw(lane, {"reply": b"\xff", "jobs": b"\x90"}, ring=False)
        inbox.put(Lane.QUICK, Job(1, "97"))
        inbox.put(Lane.HEAVY, Job(2, HEAVY))

        assert set(inbox.answers(2)) == {1, 2}

    letters = new_letters(manned.redis, known, 9)
    assert all(letter[b"reason"].startswith(b"unreadable entry: ") for letter in letters)
    assert worker_counts(manned.worker0)[0] == told + 9


def test_a_job_with_an_operation_that_the_worker_does_not_know_is_set_aside(manned: Front) -> None:
    known = len(manned.redis.dead_letters())
    with Inbox(manned.redis) as inbox:
        for lane in Lane:
            inbox.put_raw(lane, {"reply": inbox.NAME, "jobs": msgspec.msgpack.encode([[1, "97", "is_semiprime"]])})
        inbox.put(Lane.QUICK, Job(2, "97"))

        assert set(inbox.answers(1)) == {2}  # it gets no other operation's answer

    reasons = [letter[b"reason"] for letter in new_letters(manned.redis, known, 3)]
    assert all(b"Invalid enum value 'is_semiprime'" in reason for reason in reasons)


def test_a_job_over_its_deadline_is_ended_with_its_process(front: Front) -> None:
    worker = front.worker("worker0", "--deadline", "3")  # s: SLOW takes far longer, and HEAVY a millisecond of a child's turn
    front.wait_ready()
    child = warm(front.web0, worker)

    response = front.web0.get(f"/primes/{SLOW}")

    assert response.status == 500
    assert response.json["error"]["code"] == "deadline"
    assert response.json["error"]["message"] == "The job took longer than the server, or its own request, allows"
    assert not state(child)
    with RawClient(front.web0.url) as client:
        for number in (SLOW, HEAVY):
            client.send(number)
        assert list(client.messages(2)) == ["No answer: The job took longer than the server, or its own request, allows", PRIME]


def test_a_job_that_wants_more_memory_than_its_process_may_have_fails_alone(front: Front) -> None:
    known = len(front.redis.dead_letters())
    worker = front.worker("worker0", "--child-memory", "128")
    front.wait_ready()
    with Inbox(front.redis) as inbox:
        inbox.put(Lane.HEAVY, Job(1, HUNGRY), ring=False)
        inbox.put(Lane.HEAVY, Job(2, HEAVY))
        with asking(front.web0, HEAVY, HEAVY_COMPOSITE, "97") as requests:
            verdicts = [request.result().json["verdict"] for request in requests]

        answers = inbox.answers(2)

    assert verdicts == ["probably_prime", "composite", "prime"]
    assert (answers[1].verdict, answers[1].fault) == (Verdict.UNKNOWN, Fault.POISON)
    assert answers[2].verdict is Verdict.PROBABLY_PRIME
    assert worker.running
    (letter,) = new_letters(front.redis, known, 1)
    assert letter[b"reason"] == b"child process ended by SIGABRT, 3 times"
    assert "GNU MP: Cannot allocate memory" in worker.tail()
    front.redis.admin.delete(names.DEAD)  # it is large, and the next tests read all letters


def test_a_quick_job_that_ends_its_worker_ends_a_child_process_of_the_next(front: Front) -> None:
    known = len(front.redis.dead_letters())
    workers = [front.worker(name, "--lease", "2", "--watchdog", "5") for name in ("first", "second")]
    front.wait_ready()
    with Inbox(front.redis) as inbox:
        inbox.put(Lane.QUICK, Job(1, "no number"), Job(2, "97"))  # what no web process writes: it ends any worker

        answers = inbox.answers(2)

        assert answers[1].fault is Fault.POISON
        assert answers[2].verdict is Verdict.PRIME
    (letter,) = new_letters(front.redis, known, 1)
    assert letter[b"reason"] == b"child process ended by status 1, 3 times"
    assert decode_jobs(letter[b"jobs"]) == [Job(1, "no number")]
    wait_until(lambda: [worker.running for worker in workers].count(True) == 1, "the worker that it ended is gone")
    assert ask_all([(front.web0.url, questions(100, 4))]).clean
