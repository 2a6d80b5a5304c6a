"""Redis goes away, comes back, comes back empty, hangs, or is full: every accepted job is answered."""

import contextlib
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import ResponseError

from services.jobs.names import Lane
from tests.integration.conftest import Whole
from tests.integration.plain_clients import HEAVIES, HEAVY, PRIME, Load, RawClient, ask_all, question
from tests.integration.processes import freeze, state, thaw
from tests.integration.redis_server import ADMIN, RedisServer
from tests.integration.stack import Stack, get
from tests.integration.waiting import wait_until


def restart(redis: RedisServer) -> None:
    redis.stop(signal.SIGTERM)
    redis.start()


def crash(redis: RedisServer) -> None:
    redis.stop(signal.SIGKILL)
    redis.start()


def crash_and_lose_everything(redis: RedisServer) -> None:
    redis.stop(signal.SIGKILL)
    redis.wipe()
    redis.start()


def freeze_children(stack: Whole) -> list[int]:
    """Every worker's next heavy job takes until its child is thawed or ended."""

    def all_started() -> bool:
        assert ask_all([(stack.webs[0].url, [question(10**200 + n) for n in range(40)])]).clean
        return all(worker.children for worker in stack.workers)

    wait_until(all_started, "every worker has a child process")
    frozen = [child for worker in stack.workers for child in worker.children]
    for child in frozen:
        freeze(child)
    return frozen


@pytest.mark.parametrize("outage", [restart, crash, crash_and_lose_everything])
def test_every_accepted_job_is_answered_though_redis(whole: Whole, outage: Callable[[RedisServer], None]) -> None:
    resent = sum(web.metric("primes_web_jobs_resent_total", lane="heavy") for web in whole.webs)
    leases = sum(worker.metric("primes_worker_leases_lost_total", lane="heavy") for worker in whole.workers)
    stopped = freeze_children(whole)
    with RawClient(whole.webs[0].url) as client, Load(*[web.url for web in whole.webs] * 2) as load:
        for number in HEAVIES[:6]:
            client.send(number)
        wait_until(lambda: whole.redis.length(Lane.HEAVY) == 6, "jobs are queued")
        wait_until(lambda: all(whole.redis.held(worker.name, Lane.HEAVY) for worker in whole.workers), "and running")
        wait_until(lambda: load.tally.answered > 500, "quick jobs come and go")

        outage(whole.redis)

        if outage is not crash_and_lose_everything:  # else the workers end them: the jobs are nobody's
            for child in stopped:
                thaw(child)
        answers = list(client.messages(6))
        tally = load.finish()
    print(f"heavy: asked 6, answered {len(answers)}; quick: {tally}")
    assert answers == [question(int(number))[1] for number in HEAVIES[:6]]
    assert tally.clean
    if outage is crash_and_lose_everything:
        assert sum(web.metric("primes_web_jobs_resent_total", lane="heavy") for web in whole.webs) >= resent + 6

        def lost() -> float:
            return sum(worker.metric("primes_worker_leases_lost_total", lane="heavy") for worker in whole.workers)

        wait_until(lambda: lost() >= leases + 2, "both workers know by now, of which one may have computed all")
    for child in filter(state, stopped):
        with contextlib.suppress(ProcessLookupError):  # its worker ends it, too
            thaw(child)
    wait_until(lambda: not any(whole.redis.length(lane) for lane in Lane), "no entry is left")


def test_every_accepted_job_is_answered_though_redis_hangs(stack: Stack) -> None:
    stack.redis.start()
    web, worker = stack.web("web0", "--redis-timeout", "1.5"), stack.worker("worker0", "--redis-timeout", "1.5")
    stack.wait_ready()
    assert stack.redis.program
    with RawClient(web.url) as client, Load(web.url, web.url) as load:
        wait_until(lambda: load.tally.answered > 200, "quick jobs come and go")

        freeze(stack.redis.program.pid)
        client.send(HEAVY)
        for service in (web, worker):
            wait_until(lambda: not service.ready(), f"{service.name} says that it is not ready")  # noqa: B023
        thaw(stack.redis.program.pid)

        assert client.receive() == PRIME
        tally = load.finish()
    print(tally)
    assert tally.clean


def test_jobs_wait_in_the_web_process_while_redis_is_full(whole: Whole) -> None:
    full, room = "1", whole.redis.admin.config_get("maxmemory")["maxmemory"]
    web = whole.webs[0]
    whole.redis.admin.config_set("maxmemory", full)
    try:
        with RawClient(web.url) as client:
            client.send(HEAVY)
            client.send("97")
            response = web.get("/primes/97?timeout=1")
            assert response.status == 504
            assert web.pending == 2  # the request that gave up took its job back

            whole.redis.admin.config_set("maxmemory", room)

            assert list(client.messages(2)) == [PRIME, PRIME]
    finally:
        whole.redis.admin.config_set("maxmemory", room)
    assert all(service.running for service in whole.services)


def test_no_process_ends_when_redis_cannot_save(whole: Whole) -> None:
    """After a snapshot that failed, on a full disk for one, Redis refuses every write with MISCONF."""
    redis = whole.redis
    obstacle = redis.data / "dump.rdb"
    obstacle.unlink(missing_ok=True)
    obstacle.mkdir()
    try:
        redis.admin.bgsave()
        wait_until(lambda: redis.admin.info("persistence")["rdb_last_bgsave_status"] == "err", "a snapshot failed")
        with RawClient(whole.webs[0].url) as client:
            client.send("97")
            whole.webs[0].get("/primes/97?timeout=1")

            obstacle.rmdir()
            redis.admin.bgsave()

            assert client.receive() == PRIME
    finally:
        if obstacle.is_dir():
            obstacle.rmdir()
    assert all(service.running for service in whole.services)


def test_no_process_ends_while_redis_wants_replicas_that_it_has_not(whole: Whole) -> None:
    admin = whole.redis.admin
    admin.config_set("min-replicas-to-write", 1)
    try:
        with RawClient(whole.webs[0].url) as client:
            client.send("97")
            assert whole.webs[0].get("/primes/97?timeout=1").status == 504

            admin.config_set("min-replicas-to-write", 0)

            assert client.receive() == PRIME
    finally:
        admin.config_set("min-replicas-to-write", 0)
    assert all(service.running for service in whole.services)


def busy(redis: RedisServer) -> bool:
    """Whether it refuses all else while a script runs."""
    try:
        redis.client("admin", ADMIN).ping()
    except ResponseError as error:
        return "busy running a script" in str(error)
    return False


def test_no_process_ends_while_somebodys_script_keeps_redis_busy(whole: Whole) -> None:
    admin = whole.redis.admin
    admin.config_set("busy-reply-threshold", 100)  # ms
    try:
        with ThreadPoolExecutor(1) as pool:
            endless = pool.submit(admin.eval, "while true do end", 0)
            wait_until(lambda: busy(whole.redis), "the script keeps Redis busy")
            with RawClient(whole.webs[0].url) as client:
                client.send("97")
                assert whole.webs[0].get("/primes/97?timeout=2").status == 504
                wait_until(lambda: whole.redis.client("admin", ADMIN).script_kill(), "the script is killed")
                assert endless.exception(10) is not None
                assert client.receive() == PRIME
    finally:
        admin.config_set("busy-reply-threshold", 5_000)
    assert all(service.running for service in whole.services)


def test_web_and_worker_wait_for_a_redis_that_is_late(stack: Stack) -> None:
    web, worker = stack.web(), stack.worker()
    for service in (web, worker):
        wait_until(lambda: service.get("/healthz").status == 200, f"{service.name} is alive")  # noqa: B023
        response = service.get("/readyz")
        assert response.status == 503
        assert response.json == {"status": "Redis does not answer"}
        assert service.metric("primes_redis_heard") == 0
    started = time.monotonic()

    stack.redis.start()

    stack.wait_ready(seconds=20)
    print(f"ready {time.monotonic() - started:.1f} s after the start of Redis")
    assert web.get("/primes/97").json["verdict"] == "prime"


def demote(redis: RedisServer) -> None:
    redis.follow_nobody_there()


def promote(redis: RedisServer) -> None:
    redis.lead()


def want_replicas(redis: RedisServer) -> None:
    redis.admin.config_set("min-replicas-to-write", 1)


def want_none(redis: RedisServer) -> None:
    redis.admin.config_set("min-replicas-to-write", 0)


@pytest.mark.parametrize(
    ("refuse", "mend", "said"),
    [(demote, promote, "read only replica"), (want_replicas, want_none, "Not enough good replicas")],
    ids=["replica", "without replicas"],
)
def test_a_process_whose_redis_takes_no_writes_is_not_ready_and_goes_on_afterwards(
    stack: Stack, refuse: Callable[[RedisServer], None], mend: Callable[[RedisServer], None], said: str
) -> None:
    stack.redis.start()
    web, worker = stack.web("web0"), stack.worker("worker0")
    stack.wait_ready()
    refuse(stack.redis)
    for service in (web, worker):
        wait_until(lambda: not service.ready(), f"{service.name} is not ready")  # noqa: B023  # waited for in this very turn
        readiness = get(service.metrics_port, "/readyz")
        assert (readiness.status, readiness.json) == (503, {"status": "Redis does not answer"})
        assert said in service.tail()
    with RawClient(web.url) as client:
        client.send("97")
        mend(stack.redis)
        assert client.receive() == PRIME
    stack.wait_ready()
