"""What nobody waits for any more is not computed; a client that waits long is told why."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import gmpy2
import pytest

from services.jobs import names
from services.jobs.names import Lane
from tests.chaos.proxy import CHUNK, Proxy
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVY, HEAVY_COMPOSITE, RawClient
from tests.integration.processes import frozen, state
from tests.integration.stack import Stack, Web, Worker
from tests.integration.steps import freeze_child, wait_until_it_computes, warm
from tests.integration.v1_clients import RpcClient, in_thread
from tests.integration.waiting import eventually, wait_until


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


LONG = str(gmpy2.mpz(2) ** 23209 - 1)  # a prime: seconds of work


def codes(client: RpcClient) -> list[tuple[Any, str]]:
    """Id and code of every error."""
    return [(error["id"], error["error"]["data"]["code"]) for error in client.errors]


def running(worker: Worker) -> float:
    return worker.metric("primes_worker_running", lane="heavy")


def idle(stack: Stack, web: Web) -> bool:
    return web.pending == 0 and stack.redis.length(Lane.HEAVY) == 0


def test_a_cancelled_job_that_runs_is_stopped_and_its_worker_free(manned: Front) -> None:
    web, worker = manned.web0, manned.worker0
    child = warm(web, worker)

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        (id,) = await client.ask(LONG)
        await asyncio.to_thread(wait_until_it_computes, child)
        assert await client.cancel(id) is True
        await client.until(lambda: codes(client) == [(id, "cancelled")], "the request is answered")
        assert client.errors[0]["error"]["data"]["offset"].endswith("-1")
        await eventually(lambda: not state(child), "the child process is gone")
        (next_id,) = await client.ask(HEAVY)
        await client.until(lambda: next_id in client.answers, "the next job is answered")
        assert await client.cancel(id) is False
        await client.close()

    run(scenario())
    wait_until(lambda: idle(manned, web), "nothing is left of the jobs")
    assert worker.metric("primes_worker_cancelled_total", lane="heavy") >= 1


def test_a_cancelled_job_that_waits_is_never_begun(front: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        (id,) = await client.ask(HEAVY)
        await eventually(lambda: front.redis.length(Lane.HEAVY) == 1, "the job is queued")
        assert await client.cancel(id) is True
        await client.until(lambda: codes(client) == [(id, "cancelled")], "the request is answered")
        await eventually(lambda: idle(front, front.web0), "nothing is left of its job")
        await client.close()

    run(scenario())


@pytest.mark.parametrize("number", ["97", HEAVY])
def test_what_is_cancelled_before_it_is_written_is_ended_in_redis_and_not_computed_when_it_comes_again(
    manned: Front, number: str
) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        with frozen(manned.worker0.pid):
            assert await client.cancel(1, client.request(1, number)) is True
            await client.until(lambda: codes(client) == [(1, "cancelled")], "it is answered")
        await client.send(client.request(1, number))
        await client.until(lambda: len(codes(client)) == 2, "it is answered once more")
        assert codes(client) == [(1, "cancelled")] * 2
        assert {"offset" in error["error"]["data"] for error in client.errors} == {True}
        await client.close()

    run(scenario())
    wait_until(lambda: idle(manned, manned.web0), "nothing is left of it")


def test_a_session_cancels_at_the_instance_to_which_it_came_back(front: Front) -> None:
    other = front.web("other")
    front.wait_ready()

    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        (id,) = await client.ask(HEAVY)
        await eventually(lambda: front.redis.length(Lane.HEAVY) == 1, "the job is queued")
        await client.drop()
        await client.connect(other.url)
        assert await client.cancel(id) is True
        await client.until(lambda: codes(client) == [(id, "cancelled")], "the request is answered")
        await eventually(lambda: idle(front, front.web0), "the first instance waits no longer")
        await client.close()

    run(scenario())


def test_a_cancellation_that_the_worker_did_not_hear_is_found_when_it_renews_its_lease(stack: Stack) -> None:
    stack.redis.start()
    web, worker = stack.web("web0"), stack.worker("worker0")
    stack.wait_ready()
    child = warm(web, worker)

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        (id,) = await client.ask(LONG)
        await asyncio.to_thread(wait_until_it_computes, child)
        with frozen(worker.pid):
            (listening,) = [
                c for c in stack.redis.admin.client_list(_type="pubsub") if c["name"] == "worker0"
            ]  # what is published now is not heard
            stack.redis.admin.client_kill_filter(_id=listening["id"])
            assert await client.cancel(id) is True
        await eventually(lambda: not state(child), "the child process is gone")
        await client.close()

    run(scenario())
    assert worker.metric("primes_worker_leases_lost_total", lane="heavy") == 1


def test_cancelling_while_redis_is_away_is_refused_and_can_be_repeated(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web("web0")
    stack.wait_ready()

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        (id,) = await client.ask(HEAVY)
        await eventually(lambda: stack.redis.length(Lane.HEAVY) == 1, "the job is queued")
        await in_thread(stack.redis.stop)
        await client.send({"id": "early", "method": "cancel", "params": {"request": id}})
        await client.until(lambda: codes(client) == [("early", "unavailable")], "the cancellation is refused")
        await in_thread(stack.redis.start)
        await eventually(web.ready, "the web process is ready")
        assert await client.cancel(id) is True
        await client.until(lambda: (id, "cancelled") in codes(client), "the request is answered")
        await client.close()

    run(scenario())


async def queue(stack: Stack, web: Web) -> tuple[RpcClient, str]:
    """A client, and the id of its one request, which no worker takes."""
    client = await RpcClient().connect(web.url)
    (id,) = await client.ask(HEAVY)
    await eventually(lambda: stack.redis.length(Lane.HEAVY) == 1, "the job is queued")
    return client, id


class LossyProxy(Proxy):
    """Loses the reply to the first command in which a word stands, with its connection."""

    def __init__(self, path: Path, redis: Path, word: bytes) -> None:
        super().__init__(path, redis)
        self.lost = 0
        self._word = word
        self._doomed: list[Any] = []

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(CHUNK):
            if answers and reader._transport in self._doomed:  # type: ignore[attr-defined]  # the way back of the same connection
                self.lost += 1
                return
            if not answers and self._word in data and not self._doomed:
                self._doomed.append(writer.transport)
            writer.write(data)
            await writer.drain()


def test_a_cancellation_whose_reply_was_lost_is_told_as_what_it_was(stack: Stack, tmp_path: Path) -> None:
    stack.redis.start()
    with LossyProxy(stack.redis.socket.with_name("lossy.sock"), stack.redis.socket, b"cancelled") as proxy:
        stack.redis_url = f"unix://{proxy.path}"
        web = stack.web("web0")
        stack.wait_ready()

        async def scenario() -> None:
            client, id = await queue(stack, web)
            assert await client.cancel(id) is True
            await client.until(lambda: codes(client) == [(id, "cancelled")], "the request is answered")
            await client.close()

        run(scenario())
        assert proxy.lost == 1


class MeddlingProxy(Proxy):
    """Does something just before the first command in which a word stands."""

    def __init__(self, path: Path, redis: Path, word: bytes) -> None:
        super().__init__(path, redis)
        self.meddle: Callable[[], object] | None = None  # until it is done
        self.done: object = None  # what it returned
        self._word = word

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(CHUNK):
            if not answers and self._word in data and self.meddle is not None:
                meddle, self.meddle = self.meddle, None
                self.done = await asyncio.to_thread(meddle)
            writer.write(data)
            await writer.drain()


def test_a_request_whose_mark_is_lost_just_before_it_is_ended_is_cancelled(stack: Stack) -> None:
    stack.redis.start()
    with MeddlingProxy(stack.redis.socket.with_name("meddling.sock"), stack.redis.socket, b"cancelled") as proxy:
        stack.redis_url = f"unix://{proxy.path}"
        web = stack.web("web0")
        stack.wait_ready()

        async def scenario() -> None:
            client, id = await queue(stack, web)
            proxy.meddle = partial(stack.redis.admin.hdel, names.session(client.token), f"?{json.dumps(id)}")
            assert await client.cancel(id) is True
            assert proxy.done == 1
            await client.until(lambda: codes(client) == [(id, "cancelled")], "the request is answered")
            await eventually(lambda: idle(stack, web), "nothing is left of its job")
            await client.close()

        run(scenario())


@pytest.mark.parametrize("lose", ["session", "everything"])
def test_a_request_of_which_redis_lost_the_mark_is_cancelled_all_the_same(front: Front, lose: str) -> None:
    async def scenario() -> None:
        resent = front.web0.metric("primes_web_jobs_resent_total", lane="heavy")
        client = await RpcClient().connect(front.web0.url)
        (id,) = await client.ask(HEAVY)
        await eventually(lambda: front.redis.length(Lane.HEAVY) == 1, "the job is queued")
        client.answers[id] = []  # so that it does not ask again, should it be told of the loss before it has cancelled
        if lose == "session":
            front.redis.admin.delete(names.session(client.token))
        else:
            front.redis.admin.flushall()
        assert await client.cancel(id) is True
        await client.until(lambda: codes(client) == [(id, "cancelled")], "the request is answered")
        await eventually(lambda: idle(front, front.web0), "nothing is left of its job")
        assert front.web0.metric("primes_web_jobs_resent_total", lane="heavy") > resent, "it was written again"
        front.wait_ready(front.worker0)
        (next_id,) = await client.ask(HEAVY_COMPOSITE)
        await client.until(lambda: next_id in client.answers, "the next job is answered")
        assert not client.answers[id] and len(client.errors) == 1
        await client.close()

    run(scenario())


@pytest.mark.parametrize("params", [{}, {"request": None}, {"request": 1.5}, {"request": [1]}, [], [1, 2]])
def test_a_cancellation_without_a_readable_id_is_refused(front: Front, params: Any) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        await client.send({"id": "c", "method": "cancel", "params": params})
        await client.until(lambda: codes(client) == [("c", "invalid_params")], "it is refused")
        assert await client.cancel("never asked") is False
        await client.close()

    run(scenario())


def test_a_plain_client_that_leaves_cancels_what_it_asked(manned: Front) -> None:
    web, worker = manned.web0, manned.worker0
    child = warm(web, worker)
    with RawClient(web.url) as client:
        for number in (LONG, HEAVY, HEAVY_COMPOSITE):  # one will run, the others wait
            client.send(number)
        client.send("97")
        wait_until_it_computes(child)
        wait_until(lambda: running(worker) == 1 and web.pending == 3, "one runs, two wait, the quick one is answered")
    wait_until(lambda: idle(manned, web) and not state(child), "nothing is left of its jobs")
    assert web.metric("primes_web_jobs_cancelled_total") >= 3


def test_an_http_client_whose_time_is_up_cancels_what_it_asked(manned: Front) -> None:
    web, worker = manned.web0, manned.worker0
    child = freeze_child(web, worker)
    response = web.get(f"/primes/{HEAVY}?timeout=1")
    assert (response.status, response.json["error"]["code"]) == (504, "timeout")
    wait_until(lambda: idle(manned, web) and not state(child), "nothing is left of its job")


def test_a_deadline_ends_a_job_that_runs_and_one_that_waits(manned: Front) -> None:
    web, worker = manned.web0, manned.worker0
    child = freeze_child(web, worker)

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        for id, number in enumerate([HEAVY, LONG]):  # the second may begin when the first is ended
            await client.send({"id": id, "method": "is_prime", "params": {"number": number, "deadline": 1}})
        await client.until(lambda: sorted(codes(client)) == [(0, "deadline"), (1, "deadline")], "both are answered")
        await client.close()

    run(scenario())
    wait_until(lambda: idle(manned, web) and not state(child), "nothing is left of its jobs")


def test_a_deadline_is_kept_when_no_worker_is_there(front: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        await client.send({"id": 1, "method": "is_prime", "params": [HEAVY, 0.5]})
        await client.send({"id": 2, "method": "is_prime", "params": ["97", 0.5]})
        await client.until(lambda: sorted(codes(client)) == [(1, "deadline"), (2, "deadline")], "both are answered")
        await client.close()

    run(scenario())
    wait_until(lambda: front.web0.pending == 0, "nobody waits for them")
    front.wait_ready(front.worker0)
    wait_until(lambda: front.redis.length(Lane.QUICK) == 0, "the quick job's entry, which others may share, is cleared away")


def test_long_jobs_tell_their_progress(manned: Front) -> None:
    web = manned.web0
    freeze_child(web, manned.worker0)

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        first, second = await client.ask(HEAVY, HEAVY_COMPOSITE)
        await client.until(lambda: len(client.progress) >= 2, "progress is told twice")

        def last() -> dict[str, dict[str, Any]]:
            return {job["id"]: job for job in client.progress[-1]}

        await client.until(lambda: last()[first]["state"] == "running", "its worker has said that the first one runs")
        jobs = last()
        assert jobs[first]["seconds"] > 1
        assert jobs[second] == {"id": second, "state": "queued", "depth": 1}
        for id in (first, second):
            assert await client.cancel(id)
        await client.close()

    run(scenario())
    wait_until(lambda: idle(manned, web), "nothing is left of the jobs")
