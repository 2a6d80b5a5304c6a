"""A web process that is told to stop answers or hands over what it was asked, sends its clients elsewhere, and ends."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.jobs import names
from services.jobs.names import Lane
from tests.integration import uploading
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVIES, HEAVY, NOT_PRIME, PRIME, Load, RawClient
from tests.integration.processes import frozen, state, thaw
from tests.integration.stack import Stack, Web, get
from tests.integration.steps import asking, freeze_child
from tests.integration.v1_clients import RpcClient, Tally, in_thread, numbers
from tests.integration.waiting import wait_until
from tests.integration.web.sockets.test_address_limits import opened

RESTART = 1012  # close code: service restart
SOON = 20  # seconds in which a process ends that waits for nothing; its drain is longer
IDLE = 2_000  # sockets: so many are closed over four seconds, a few over one, in which a single stall would mix them all up


def refuses(web: Web) -> bool:
    try:
        web.get("/healthz")
    except ConnectionRefusedError:
        return True
    return False


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 120))


@pytest.fixture
def web(manned: Front) -> Web:
    """A web process to be stopped."""
    web = manned.web("leaving", "--drain", "30")
    manned.wait_ready()
    return web


def test_jobs_under_way_are_answered_before_their_sockets_are_closed(manned: Front, web: Web) -> None:
    child = freeze_child(manned.web0, manned.worker0)
    with RawClient(web.url) as client, RawClient(web.url) as idle_client:
        for number in (HEAVY, "7", "8"):
            client.send(number)
        wait_until(lambda: web.metric("primes_web_jobs_answered_total") == 2, "the quick jobs behind the slow one are answered")

        web.send(signal.SIGTERM)
        wait_until(lambda: refuses(web), "new clients are refused")
        readiness = get(web.metrics_port, "/readyz")
        assert (readiness.status, readiness.json) == (503, {"status": "draining"})
        thaw(child)

        assert list(client.messages(3)) == [PRIME, PRIME, NOT_PRIME]
        assert client.wait_closed() == RESTART
        assert idle_client.wait_closed() == RESTART
    assert web.wait(15) == 0


def test_http_requests_under_way_are_answered(manned: Front, web: Web) -> None:
    child = freeze_child(manned.web0, manned.worker0)
    with asking(web, HEAVY, HEAVY) as requests:
        wait_until(lambda: web.pending == 2, "the requests wait")

        web.send(signal.SIGTERM)
        wait_until(lambda: refuses(web), "new clients are refused")
        thaw(child)

        assert [request.result().json["verdict"] for request in requests] == ["probably_prime"] * 2
    assert web.wait(15) == 0


def test_a_drain_that_takes_too_long_ends_all_the_same(manned: Front) -> None:
    web = manned.web("leaving", "--drain", "1")
    manned.wait_ready()
    child = freeze_child(manned.web0, manned.worker0)
    with RawClient(web.url) as client:
        client.send(HEAVY)
        wait_until(lambda: manned.redis.held("worker0", Lane.HEAVY) == 1, "the job is under way")

        web.send(signal.SIGTERM)

        assert client.wait_closed() == RESTART
    assert web.wait(15) == 0
    wait_until(lambda: not state(child), "what nobody waits for is not computed")


def test_a_process_under_load_ends_too(manned: Front, web: Web) -> None:
    with Load(*[web.url] * 4) as load:
        wait_until(lambda: load.tally.answered > 1_000, "answers fly")
        web.send(signal.SIGTERM)

        assert web.wait(SOON) == 0


def test_a_process_without_clients_ends_at_once_and_a_second_signal_changes_nothing(web: Web) -> None:
    web.send(signal.SIGTERM)
    web.send(signal.SIGTERM)
    assert web.wait(SOON) == 0
    assert "drained in" in web.tail()


@pytest.mark.parametrize("path", ["/certificates", "/jobs", "/jobs/preview"])
def test_who_left_while_it_sent_a_body_is_not_waited_for(web: Web, path: str) -> None:
    with uploading.Sender(web.port, 1_000, path=path) as client:
        client.send(b"97\n")
        assert web.get("/primes/97").status == 200  # it has begun by now
    assert web.get("/primes/97").status == 200  # and it is known that it left
    web.send(signal.SIGTERM)
    assert web.wait(SOON) == 0


def test_a_second_signal_does_not_cut_the_drain_short(manned: Front, web: Web) -> None:
    child = freeze_child(manned.web0, manned.worker0)
    with RawClient(web.url) as client:
        client.send(HEAVY)
        wait_until(lambda: web.pending == 1, "the job is under way")
        web.send(signal.SIGTERM)
        wait_until(lambda: refuses(web), "new clients are refused")
        web.send(signal.SIGTERM)
        web.send(signal.SIGINT)
        assert client.quiet()
        thaw(child)
        assert client.receive() == PRIME
        assert client.wait_closed() == RESTART
    assert web.wait(15) == 0


@pytest.fixture
def crowd(web: Web) -> Iterator[contextlib.ExitStack]:
    """The many idle sockets of the process to be stopped, to be closed before it can end."""
    with contextlib.ExitStack() as sockets:
        assert {sockets.enter_context(opened(web.port)).status for _ in range(IDLE)} == {101}
        yield sockets


def test_sockets_are_closed_at_the_time_that_their_clients_were_told(web: Web, crowd: contextlib.ExitStack) -> None:
    async def scenario() -> None:
        clients = [await RpcClient(f"c{number}-").connect(web.url) for number in range(100)]
        ended: list[RpcClient] = []

        async def follow(client: RpcClient) -> None:
            await client.until(lambda: client.cut_off, "the socket is closed")
            ended.append(client)

        web.send(signal.SIGTERM)
        await asyncio.gather(*map(follow, clients))

        assert {client.close_code for client in clients} == {RESTART}
        assert all(len(client.farewells) == 1 and 0 <= client.farewells[0] <= 0.8 * 30 for client in clients)
        told = sorted(clients, key=lambda client: client.farewells[0])
        assert len({client.farewells[0] for client in clients}) > 50
        first, last = told[:10], told[-10:]
        assert max(map(ended.index, first)) < min(map(ended.index, last))

    run(scenario())
    crowd.close()
    assert web.wait(15) == 0


def test_a_session_moves_during_the_drain_and_gets_every_answer_once(manned: Front, web: Web) -> None:
    child = freeze_child(manned.web0, manned.worker0)

    async def scenario() -> None:
        clients = [await RpcClient(f"c{number}-").connect(web.url) for number in range(30)]
        for number, client in enumerate(clients):
            await client.ask(*numbers(50, number, heavy=3))
        web.send(signal.SIGTERM)

        async def move(number: int, client: RpcClient) -> None:
            await client.until(lambda: client.farewells, "the drain is told")
            await client.ask(*numbers(10, 100 + number))  # taken all the same
            await client.until(lambda: client.cut_off, "the socket is closed")
            assert client.close_code == RESTART
            await client.connect(manned.web0.url)

        await asyncio.gather(*(move(number, client) for number, client in enumerate(clients)))
        assert await in_thread(lambda: web.wait(15)) == 0  # though nothing heavy is answered yet
        thaw(child)
        for client in clients:
            await client.answered()
            await client.close()
        tally = sum((client.tally() for client in clients), Tally())
        print(tally)
        assert tally.clean and not any(client.errors for client in clients)

    run(scenario())


def test_a_client_may_move_before_its_socket_is_closed(manned: Front, web: Web, crowd: contextlib.ExitStack) -> None:
    async def scenario() -> None:
        # the one of many that has the longest time to move in
        clients = [await RpcClient(f"c{number}-").connect(web.url) for number in range(50)]
        for client in clients:
            await client.ask("97")
            await client.answered()
        web.send(signal.SIGTERM)
        for client in clients:
            await client.until(lambda: client.farewells, "the drain is told")  # noqa: B023  # waited for in this very turn
        patient = max(clients, key=lambda client: client.farewells[0])
        moved = await RpcClient("moved", token=patient.token, offset=patient.offset).connect(manned.web0.url)
        await patient.until(lambda: patient.cut_off, "the former socket is closed")
        assert patient.close_code == 4001
        assert moved.resumed[0]["recovered"]
        await moved.close()
        for client in clients:
            await client.until(lambda: client.cut_off, "the others are closed")  # noqa: B023

    run(scenario())
    crowd.close()
    assert web.wait(15) == 0


def test_what_sessions_asked_is_in_redis_before_the_process_ends(manned: Front) -> None:
    web = manned.web("leaving", "--drain", "30", "--max-queued-entries", "2")
    manned.wait_ready()

    async def scenario() -> None:
        client = await RpcClient("c").connect(web.url)
        with frozen(manned.worker0.pid):
            await client.ask(*HEAVIES[:6])
            await in_thread(lambda: wait_until(lambda: manned.redis.length(Lane.HEAVY) == 2, "the stream is full"))
            web.send(signal.SIGTERM)
            await client.until(lambda: client.cut_off, "the socket is closed")
            assert client.close_code == RESTART
            assert web.running  # it waits for room in the stream
        assert await in_thread(lambda: web.wait(15)) == 0
        history = names.history(client.token)
        # before anybody has asked again
        await in_thread(lambda: wait_until(lambda: manned.redis.admin.llen(history) == 6, "all are answered"))
        await client.connect(manned.web0.url)
        await client.answered()
        assert client.tally().clean
        await client.close()

    run(scenario())


def test_a_request_that_the_drain_does_not_wait_for_is_told_to_ask_again(manned: Front) -> None:
    web = manned.web("leaving", "--drain", "1")
    manned.wait_ready()
    child = freeze_child(manned.web0, manned.worker0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(web.get, f"/primes/{HEAVY}")
        wait_until(lambda: web.pending == 1, "the request waits")
        web.send(signal.SIGTERM)
        response = waiting.result()
    assert (response.status, response.json["error"]["code"]) == (503, "going_away")
    assert response.headers["Retry-After"] == "1"
    assert web.wait(15) == 0
    wait_until(lambda: not state(child), "what nobody waits for is not computed")


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
def test_an_upload_that_the_drain_does_not_wait_for_is_told_to_come_again(manned: Front, keyed: bool) -> None:
    uploading.forget(manned.redis)
    web = manned.web("leaving", "--drain", "1")
    manned.wait_ready()
    with uploading.Sender(web.port, 1_000, **({"Idempotency_Key": "k"} if keyed else {})) as sender:
        sender.send(b"97\n98\n")
        wait_until(lambda: uploading.upload(manned.redis)["state"] == "reading", "the upload is read")
        web.send(signal.SIGTERM)
        response = sender.finish()
        assert web.wait(15) == 0
    error = {"code": "going_away", "message": "The web process ends before the upload was read; send it again", "retryable": True}
    assert (response.status, response.json) == (503, {"error": error})
    assert (response.headers["Retry-After"], response.headers["Connection"]) == ("1", "close")
    if keyed:
        assert uploading.upload(manned.redis)["state"] == "interrupted"
        uploading.forget(manned.redis)
    assert uploading.uploads(manned.redis) == []


def test_an_upload_that_ends_during_the_drain_is_answered(manned: Front, web: Web) -> None:
    uploading.forget(manned.redis)
    body = b"97\n98\n"
    with uploading.Sender(web.port, len(body)) as sender:
        sender.send(body[:3])
        wait_until(lambda: uploading.upload(manned.redis)["state"] == "reading", "the upload is read")
        web.send(signal.SIGTERM)
        wait_until(lambda: refuses(web), "new clients are refused")
        sender.send(body[3:])
        uploading.check(sender.finish().body, ["97", "98"])
    assert web.wait(15) == 0
    uploading.forget(manned.redis)


def test_a_drain_without_redis_ends_in_its_time(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web("leaving", "--drain", "2")
    stack.wait_ready()
    stack.redis.stop()
    with RawClient(web.url) as plain, RawClient(web.url, subprotocol="primes.v1") as session:
        plain.send("97")
        session.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "is_prime", "params": ["97"]}))
        wait_until(lambda: web.pending == 2, "both are accepted")
        web.send(signal.SIGTERM)
        assert session.wait_closed() == RESTART
        assert plain.wait_closed() == RESTART
    assert web.wait(15) == 0
    assert "not all in Redis" in web.tail()
