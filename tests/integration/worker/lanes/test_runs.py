"""One computation answers all clients that ask the same while it runs, and what was costly is kept for later ones."""

import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gmpy2
import pytest

from services.jobs import names
from services.jobs.messages import Job, digest
from services.jobs.names import Lane
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVY, HEAVY_COMPOSITE, PRIME, SLOW, RawClient
from tests.integration.processes import freeze, frozen, state, thaw
from tests.integration.stack import Stack, Worker
from tests.integration.steps import Inbox, freeze_child, wait_until_it_computes, warm
from tests.integration.v1_clients import RpcClient
from tests.integration.waiting import eventually, wait_until

COSTLY = str(gmpy2.mpz(10) ** 999 + 7)  # a prime of 1,000 digits that its neighbours do not prove: some 50 ms


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


def askers(stack: Stack) -> int:
    """The clients that wait for the runs of the heavy lane."""
    return sum(stack.redis.admin.hlen(key) for key in stack.redis.admin.keys(names.askers(Lane.HEAVY, "*")))


def computed(worker: Worker) -> float:
    return worker.metric("primes_worker_jobs_total", lane="heavy")


def test_all_who_ask_the_same_while_it_runs_get_the_one_answer(manned: Front) -> None:
    other = manned.web("other")
    manned.wait_ready(other)
    before = computed(manned.worker0)
    child = freeze_child(manned.web0, manned.worker0)
    before += 1  # what warmed it
    joined = manned.web0.metric("primes_web_jobs_joined_total", found="joined")

    async def scenario() -> None:
        clients = [await RpcClient().connect(web.url) for web in (manned.web0, manned.web0, other)]
        with ThreadPoolExecutor() as pool, RawClient(other.url) as plain:
            for client in clients:
                await client.ask(HEAVY)
            plain.send(HEAVY)
            http = pool.submit(manned.web0.get, f"/primes/{HEAVY}")
            await eventually(lambda: askers(manned) == 5, "all five wait for it")
            assert manned.redis.length(Lane.HEAVY) == 1
            thaw(child)
            for client in clients:
                await client.until(lambda: client.answers, "the client is answered")  # noqa: B023  # waited for in this very turn
            assert list(plain.messages(1)) == [PRIME]
            assert http.result().json["verdict"] == "probably_prime"
        assert all(client.tally().clean for client in clients)
        for client in clients:
            await client.close()

    run(scenario())
    assert computed(manned.worker0) == before + 1
    assert askers(manned) == 0
    here = manned.web0.metric("primes_web_jobs_joined_total", found="joined") - joined
    assert here + other.metric("primes_web_jobs_joined_total") == 4


def test_other_operations_on_the_number_are_other_questions() -> None:
    is_prime, next_prime = Job(1, "97"), Job(2, "97", operation="next_prime")  # type: ignore[arg-type]
    assert digest(is_prime) != digest(next_prime)
    assert digest(is_prime) == digest(Job(7, "97", session="token", request="1", expires=5))


def test_a_run_goes_on_for_the_others_when_who_asked_first_leaves(manned: Front) -> None:
    child = freeze_child(manned.web0, manned.worker0)

    async def scenario() -> None:
        first, second = [await RpcClient().connect(manned.web0.url) for _ in range(2)]
        (asked,) = await first.ask(HEAVY)
        await eventually(lambda: askers(manned) == 1, "the first one waits")
        await second.ask(HEAVY)
        await eventually(lambda: askers(manned) == 2, "both wait")
        assert await first.cancel(asked) is True
        await first.until(lambda: [e["error"]["data"]["code"] for e in first.errors] == ["cancelled"], "its request is answered")
        assert (askers(manned), manned.redis.length(Lane.HEAVY), state(child)) == (1, 1, "T")
        thaw(child)
        await second.until(lambda: second.answers, "the second one is answered")
        assert second.tally().clean
        assert not manned.redis.admin.exists(names.question(digest(Job(1, HEAVY))))
        for client in (first, second):
            await client.close()

    run(scenario())


def test_a_run_ends_when_the_last_one_leaves(manned: Front) -> None:
    child = warm(manned.web0, manned.worker0)
    with RawClient(manned.web0.url) as first, RawClient(manned.web0.url) as second:
        for client in (first, second):
            client.send(SLOW)
        wait_until(lambda: askers(manned) == 2, "both wait")
        wait_until_it_computes(child)
    wait_until(lambda: not state(child) and manned.redis.length(Lane.HEAVY) == 0, "nothing is left of the run")
    assert askers(manned) == 0
    assert not manned.redis.admin.exists(names.question(digest(Job(1, SLOW))))


def test_each_one_gets_its_own_deadline(manned: Front) -> None:
    """A client with little time is told what is known; the run goes on for one with more."""
    child = freeze_child(manned.web0, manned.worker0)

    def joined() -> float:
        return manned.web0.metric("primes_web_jobs_joined_total", found="joined")

    async def scenario() -> None:
        before = joined()
        client = await RpcClient().connect(manned.web0.url)
        for id, seconds in ((3, 60), (2, 2.5), (1, 1.0)):
            await client.send({"id": id, "method": "is_prime", "params": {"number": HEAVY, "deadline": seconds}})
        await eventually(lambda: joined() == before + 2, "all wait for one run")  # a count, since some wait for a second alone
        await client.until(lambda: len(client.errors) == 2, "two are told that their time is over")
        assert [error["id"] for error in client.errors] == [1, 2]
        assert {error["error"]["data"]["code"] for error in client.errors} == {"deadline"}
        await eventually(lambda: askers(manned) == 1, "they wait no more")
        assert (manned.redis.length(Lane.HEAVY), state(child)) == (1, "T")
        client.numbers[3] = HEAVY
        thaw(child)
        await client.until(lambda: 3 in client.answers, "the third one is answered")
        await client.close()

    run(scenario())


def test_a_run_lives_as_long_as_its_most_patient_asker(manned: Front) -> None:
    """The one that asked first has little time, and it is over before a child is free."""
    child = freeze_child(manned.web0, manned.worker0)

    async def scenario() -> None:
        busy, client = [await RpcClient().connect(manned.web0.url) for _ in range(2)]
        await busy.ask(HEAVY)
        await eventually(lambda: manned.worker0.metric("primes_worker_running", lane="heavy") == 1, "the only child is busy")
        await client.send({"id": 1, "method": "is_prime", "params": {"number": COSTLY, "deadline": 1.0}})
        await client.send({"id": 2, "method": "is_prime", "params": {"number": COSTLY}})
        await client.until(lambda: client.errors, "the first one is told that its time is over")
        assert [error["id"] for error in client.errors] == [1]
        client.numbers[2] = COSTLY
        thaw(child)
        await client.until(lambda: 2 in client.answers, "the second one is answered")
        for each in (busy, client):
            await each.close()

    run(scenario())


def test_a_run_that_its_worker_left_is_ended_by_another_for_all(front: Front) -> None:
    first = front.worker("first", "--lease", "1")
    front.wait_ready()
    child = freeze_child(front.web0, first)

    async def scenario() -> None:
        clients = [await RpcClient().connect(front.web0.url) for _ in range(2)]
        for client in clients:
            await client.ask(HEAVY)
        await eventually(lambda: askers(front) == 2 and first.metric("primes_worker_running", lane="heavy") == 1, "both wait")
        with frozen(first.pid):
            second = front.worker("second", "--lease", "1")
            for client in clients:
                await client.until(lambda: client.answers, "the client is answered")  # noqa: B023  # waited for in this very turn
            assert second.metric("primes_worker_takeovers_total", lane="heavy") == 1
        thaw(child) if state(child) else None
        assert all(client.tally().clean for client in clients)
        for client in clients:
            await client.close()

    run(scenario())


def test_a_costly_answer_is_kept_and_given_at_once(front: Front) -> None:
    worker = front.worker("worker0", "--cache-ttl", "60")
    front.wait_ready()
    first = front.web0.get(f"/primes/{COSTLY}").json
    assert computed(worker) == 1
    with frozen(worker.child):
        again = front.web0.get(f"/primes/{COSTLY}").json
        with RawClient(front.web0.url) as plain:
            plain.send(COSTLY)
            assert list(plain.messages(1)) == [PRIME]

        async def scenario() -> None:
            client = await RpcClient().connect(front.web0.url)
            await client.ask(COSTLY)
            await client.until(lambda: client.answers, "it is answered")
            assert client.tally().clean
            await client.close()

        run(scenario())
    assert [again[key] for key in ("verdict", "method", "compute_ms")] == [
        first[key] for key in ("verdict", "method", "compute_ms")
    ]
    assert computed(worker) == 1
    assert front.web0.metric("primes_web_jobs_joined_total", found="known") >= 3


def test_a_cheap_answer_is_not_kept(front: Front) -> None:
    worker = front.worker("worker0", "--cache-ttl", "60")
    front.wait_ready()
    for _ in range(2):
        assert front.web0.get(f"/primes/{HEAVY_COMPOSITE}").status == 200
    assert computed(worker) == 2
    assert front.redis.admin.zscore(names.KNOWN, digest(Job(1, HEAVY_COMPOSITE))) is None


def test_kept_answers_are_bounded_and_the_oldest_go(front: Front) -> None:
    worker = front.worker("worker0", "--cache-ttl", "60")
    front.wait_ready()
    admin = front.redis.admin
    admin.delete(names.KNOWN, names.question(digest(Job(1, COSTLY))))
    for number in range(names.KNOWN_LENGTH):
        admin.zadd(names.KNOWN, {f"old-{number}": number})
    admin.hset(names.question("old-0"), mapping={"answer": b"an old one", "certificate": ""})
    assert front.web0.get(f"/primes/{COSTLY}").status == 200
    wait_until(lambda: admin.zscore(names.KNOWN, digest(Job(1, COSTLY))), "the answer is kept")
    assert admin.zcard(names.KNOWN) == names.KNOWN_LENGTH
    assert (admin.zscore(names.KNOWN, "old-0"), admin.hexists(names.question("old-0"), "answer")) == (None, False)
    admin.delete(names.KNOWN, names.question(digest(Job(1, COSTLY))))
    assert worker.running


def test_a_failure_is_not_kept(front: Front) -> None:
    worker = front.worker("worker0", "--cache-ttl", "60", "--deadline", "3")
    front.wait_ready()
    freeze(warm(front.web0, worker))
    assert front.web0.get(f"/primes/{HEAVY_COMPOSITE}").json["error"]["code"] == "deadline"
    assert front.web0.get(f"/primes/{HEAVY_COMPOSITE}").json["verdict"] == "composite"


@pytest.mark.parametrize("lane", [Lane.HEAVY])
def test_an_entry_of_an_older_web_process_has_no_askers_and_is_answered(manned: Front, lane: Lane) -> None:
    with Inbox(manned.redis) as inbox:
        inbox.put(lane, Job(1, HEAVY))
        assert inbox.answers(1)[1].verdict == "probably_prime"


def test_who_asks_again_after_a_loss_of_redis_is_answered(stack: Stack) -> None:
    stack.redis.start()
    web, worker = stack.web("web0"), stack.worker("worker0")
    stack.wait_ready()
    child = freeze_child(web, worker)

    async def scenario() -> None:
        clients = [await RpcClient().connect(web.url) for _ in range(2)]
        for client in clients:
            await client.ask(HEAVY)
        await eventually(lambda: askers(stack) == 2, "both wait")
        stack.redis.admin.flushall()
        thaw(child)
        for client in clients:
            await client.until(lambda: client.answers, "the client is answered")  # noqa: B023  # waited for in this very turn
        assert all(client.tally().clean for client in clients), json.dumps([str(client.tally()) for client in clients])
        for client in clients:
            await client.close()

    run(scenario())
