"""Answers follow their client to whatever instance it comes back to: each once, in order, whatever breaks meanwhile."""

import asyncio
import contextlib
import json
import random
import signal
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from services.jobs import names
from services.jobs.messages import Answer, Asker, Divisor, Factors, Promotion, Verdict
from services.jobs.names import Lane
from tests.integration.conftest import Front, Whole
from tests.integration.plain_clients import HEAVY, HEAVY_COMPOSITE, PRIME, SLOW, RawClient
from tests.integration.processes import thaw
from tests.integration.stack import Stack, Web
from tests.integration.steps import freeze_child, kill_children
from tests.integration.v1_clients import RpcClient, Tally, in_thread, numbers
from tests.integration.waiting import eventually, wait_until


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario, 200))


async def kept(stack: Stack, client: RpcClient, count: int) -> None:
    """Wait until the history has so many answers."""
    await in_thread(lambda: wait_until(lambda: stack.redis.admin.llen(names.history(client.token)) == count, "answers are kept"))


async def marked(stack: Stack, client: RpcClient, count: int) -> None:
    """Wait until Redis has so many requests in flight."""

    def look() -> bool:
        fields = stack.redis.admin.hgetall(names.session(client.token))
        places = [names.Mark.read(value) for key, value in fields.items() if key.startswith(b"?")]
        return sum(isinstance(place, names.Mark) for place in places) == count

    await in_thread(lambda: wait_until(look, f"{count} requests are in flight"))


def check(*clients: RpcClient) -> None:
    """Nothing lost, duplicated, wrong or out of order."""
    tally = sum((client.tally() for client in clients), Tally())
    print(tally)
    assert tally.clean, [client.errors[:3] for client in clients if client.errors]
    assert not any(client.errors for client in clients)


def test_an_unknown_subprotocol_is_refused_and_told_the_known_one(whole: Whole) -> None:
    async def scenario() -> None:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(whole.webs[0].url, subprotocols=["primes.v9", "chat"])  # type: ignore[list-item]
        error = json.loads(refusal.value.response.body)["error"]
        assert (refusal.value.response.status_code, error["code"]) == (400, "unknown_subprotocol")
        assert error["message"] == (
            "Expected the subprotocol primes.v1, or none for the plain protocol, got 'primes.v9, chat'"
        )  # fmt: skip
        async with connect(whole.webs[0].url, subprotocols=["primes.v9", "primes.v1"]) as sock:  # type: ignore[list-item]
            assert sock.subprotocol == "primes.v1"

    run(scenario())


def test_an_id_is_not_taken_for_another_question(whole: Whole) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(whole.webs[0].url)
        client.numbers = {1: "97"}
        await client.send({"id": 1, "method": "is_prime", "params": {"number": "97"}})
        await client.answered()
        others: list[dict[str, Any]] = [
            {"method": "is_prime", "params": ["98"]},
            {"method": "next_prime", "params": ["97"]},
            {"method": "is_prime", "params": {"number": "97", "proof": True}},
        ]
        for count, other in enumerate(others, 1):
            await client.send({"id": 1, **other})
            await client.until(lambda: len(client.errors) == count, "it is refused")  # noqa: B023  # waited for in this very turn
        assert [(error["id"], error["error"]["data"]) for error in client.errors] == [
            (1, {"code": "id_reused", "retryable": False})
        ] * 3
        assert client.errors[0]["error"]["message"] == (
            "Expected the question that was asked with the id 1 before, or another id, got is_prime of '98'"
        )
        await client.send({"id": 1, "method": "is_prime", "params": {"number": "97", "deadline": 60}})
        await client.until(lambda: len(client.answers[1]) == 2, "the same question gets its answer")
        await client.close()

    run(scenario())


def test_no_first_verdict_is_told_of_what_has_its_answer(whole: Whole) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(whole.webs[0].url)
        (answered,) = await client.ask("97")
        await client.answered()
        (waiting,) = await client.ask(SLOW)
        await marked(whole, client, 1)
        for number, id in enumerate((answered, waiting)):
            asker = names.asker("another web process", number), Asker(client.token, json.dumps(id))
            promotion = Promotion("1-0", Answer(number, Verdict.PROBABLY_PRIME), [asker])
            whole.redis.admin.publish(names.PROMOTIONS, msgspec.msgpack.encode(promotion))
        await client.until(lambda: client.verdicts, "the verdict of what waits is told")
        assert [verdict["id"] for verdict in client.verdicts] == [waiting]
        await client.cancel(waiting)
        await client.close()

    run(scenario())


def test_a_socket_without_a_subprotocol_speaks_plain(whole: Whole) -> None:
    with RawClient(whole.webs[0].url) as client:
        client.send("97")
        assert client.receive() == PRIME


def test_answers_numbers_of_every_form_and_refuses_the_rest(whole: Whole) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(whole.webs[0].url)
        large = "1" + "0" * 5_000  # more digits than Python's int() reads
        client.numbers = {1: "97", "a": "-7", 2: large, "b": "98"}
        sock = client.socket
        assert sock
        await sock.send('{"jsonrpc":"2.0","id":1,"method":"is_prime","params":[97]}')
        await sock.send('{"jsonrpc":"2.0","id":"a","method":"is_prime","params":{"number":" -7 "}}')
        await sock.send('{"jsonrpc":"2.0","id":2,"method":"is_prime","params":{"number":' + large + "}}")
        await sock.send(b'{"jsonrpc":"2.0","id":"\\u0062","method":"is_prime","params":["98"]}')
        await sock.send('{"jsonrpc":"2.0","method":"is_prime","params":[97]}')  # a notification: nobody waits
        for wrong in ("{", "[]", '{"jsonrpc":"2.0","id":null,"method":"is_prime"}'):
            await sock.send(wrong)
        await client.send({"id": 3, "method": "is_prime", "params": ["7.0"]})
        await client.send({"id": 4, "method": "is_prime", "params": ["9" * 10_001]})
        await client.send({"id": 5, "method": "was_prime"}, {"id": 6, "method": "resume", "params": ["x", "0"]})
        await client.send({"id": "late", "method": "resume", "params": ["x" * 22, "0"]})
        await client.until(lambda: len(client.errors) == 8, "all errors came")
        await client.answered()
        assert sorted(error["error"]["data"]["code"] for error in client.errors) == [
            "invalid_request", "invalid_request", "invalid_request", "method_not_found",
            "not_an_integer", "parse_error", "resume_late", "too_large",
        ]  # fmt: skip
        assert client.tally().clean
        await client.close()

    run(scenario())


def test_a_batch_is_answered_by_one_array(whole: Whole) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(whole.webs[0].url)
        client.numbers = dict(enumerate(numbers(100, 5, heavy=5)))
        await client.send(*(client.request(id, number) for id, number in client.numbers.items()))
        await client.answered()
        assert [len(array) for array in client.arrays] == [100]
        check(client)
        await client.close()

    run(scenario())


def test_a_large_batch_that_is_read_in_turns_is_answered_by_one_array(whole: Whole) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(whole.webs[0].url)
        client.numbers = {id: "+".join([str(10**200)] * 99 + [str(id)]) for id in range(100)}
        await client.send(*(client.request(id, number) for id, number in client.numbers.items()))
        await client.until(lambda: client.arrays, "the batch is answered")
        assert [len(array) for array in client.arrays] == [100]
        await client.close()

    run(scenario())


def test_a_repeated_id_is_answered_from_the_first_run(whole: Whole) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(whole.webs[0].url)
        worked = whole.worked + 1
        (id,) = await client.ask("97")
        await client.answered()
        await eventually(lambda: whole.worked == worked, "the worker has counted its answer")
        await client.send(client.request(id, "97"))
        await client.until(lambda: len(client.answers[id]) == 2, "the answer came again")
        first, second = client.answers[id]
        assert first == second
        assert whole.worked == worked
        await client.close()

    run(scenario())


def test_answers_follow_the_client_for_jobs_finished_running_and_queued(front: Front) -> None:
    other, worker = front.web("other"), front.worker("worker")
    front.wait_ready()
    child = freeze_child(front.web0, worker)

    async def scenario() -> None:
        client = await RpcClient("moving").connect(front.web0.url)
        await client.ask(HEAVY, HEAVY_COMPOSITE)  # one is running, one is queued
        await marked(front, client, 2)
        await client.ask("97")
        await client.drop()
        client.answers.clear()  # as if it had not come
        client.offset = "0"
        await kept(front, client, 1)

        await client.connect(other.url)
        (resumed,) = client.resumed
        assert (resumed["recovered"], resumed["instance"], len(resumed["pending"])) == (True, "other", 2)
        await client.until(lambda: len(client.answers) == 1, "what was finished came")
        thaw(child)
        await client.answered()
        check(client)
        await client.close()

    run(scenario())


@pytest.mark.parametrize("elsewhere", [True, False], ids=["on another instance", "on the same instance"])
def test_a_takeover_closes_the_first_socket(whole: Whole, elsewhere: bool) -> None:
    async def scenario() -> None:
        first = await RpcClient().connect(whole.webs[0].url)
        await first.ask("97")
        await first.answered()
        second = RpcClient("second", token=first.token, offset=first.offset)
        await second.connect(whole.webs[1 if elsewhere else 0].url)
        await first.until(lambda: first.close_code == 4001, "the first socket is closed")
        assert second.resumed[0]["recovered"]
        await second.ask("89")
        await second.answered()
        check(second)
        await second.close()

    run(scenario())


def test_a_killed_web_process_loses_nothing(stack: Stack) -> None:
    stack.redis.start()
    first, second, worker = stack.web("web0"), stack.web("web1"), stack.worker("worker0")
    stack.wait_ready()
    child = freeze_child(first, worker)

    async def scenario() -> None:
        clients = [await RpcClient(f"c{i}-").connect(first.url) for i in range(20)]
        for number, client in enumerate(clients):
            await client.ask(*numbers(50, number, heavy=3))
        await in_thread(lambda: wait_until(lambda: stack.redis.held("worker0", Lane.HEAVY) == 1, "one runs"))
        first.kill()
        thaw(child)
        for client in clients:
            await client.connect(second.url)
        for client in clients:
            await client.answered()
        check(*clients)
        for client in clients:
            await client.close()

    run(scenario())


def test_a_killed_worker_loses_nothing(stack: Stack) -> None:
    stack.redis.start()
    web, doomed, _ = stack.web("web0"), stack.worker("worker0", "--lease", "1"), stack.worker("worker1", "--lease", "1")
    stack.wait_ready()

    async def scenario() -> None:
        clients = [await RpcClient(f"c{i}-").connect(web.url) for i in range(10)]
        for number, client in enumerate(clients):
            await client.ask(*numbers(100, number, heavy=10))
        doomed.kill()
        for client in clients:
            await client.answered()
        check(*clients)
        for client in clients:
            await client.close()

    run(scenario())


def test_redis_restarted_empty_is_admitted_and_nothing_is_lost(stack: Stack) -> None:
    stack.redis.start()
    webs, worker = [stack.web("web0"), stack.web("web1")], stack.worker("worker0")
    stack.wait_ready()
    child = freeze_child(webs[0], worker)

    async def scenario() -> None:
        staying, away = [await RpcClient(name).connect(webs[0].url) for name in ("staying", "away")]
        for client in (staying, away):
            await client.ask(*numbers(20, len(client.name)))
            await client.answered()
            await client.ask(*numbers(10, 1, heavy=10))
            await marked(stack, client, 10)
        await away.drop()
        stack.redis.stop(signal.SIGKILL)
        stack.redis.wipe()
        stack.redis.start()
        await staying.until(lambda: any(notice.get("recovered") is False for notice in staying.notices), "the loss is told")
        with contextlib.suppress(ProcessLookupError):  # ended by its worker, which has found that it lost the lease
            thaw(child)
        await away.connect(webs[1].url)
        for client in (staying, away):
            await client.answered()
            await client.ask("97")
            await client.answered()
            check(client)
            await client.close()
        assert not away.resumed[0]["recovered"]

    run(scenario())


def test_a_client_that_waits_for_nothing_is_told_of_a_loss_once_redis_is_back(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web("web0", "--session-ttl", "86400")  # idle sessions are looked at every three hours
    stack.worker("worker0")
    stack.wait_ready()

    async def scenario() -> None:
        client = await RpcClient("idle").connect(web.url)
        await client.ask(*numbers(20, 1))
        await client.answered()
        stack.redis.stop(signal.SIGKILL)
        stack.redis.wipe()
        stack.redis.start()
        await client.until(lambda: any(notice.get("recovered") is False for notice in client.notices), "the loss is told")
        await client.close()

    run(scenario())


def test_what_redis_lost_is_not_asked_in_the_name_of_a_client_that_left(stack: Stack) -> None:
    """Only the client knows what it has no answer to."""
    stack.redis.start()
    webs, worker = [stack.web("web0"), stack.web("web1")], stack.worker("worker0")
    stack.wait_ready()
    child = freeze_child(webs[0], worker)

    async def scenario() -> None:
        client = await RpcClient().connect(webs[0].url)
        await client.ask(HEAVY)
        await marked(stack, client, 1)
        await client.drop()
        stack.redis.stop(signal.SIGKILL)
        stack.redis.wipe()
        stack.redis.start()
        await in_thread(lambda: wait_until(lambda: webs[0].metric("primes_web_jobs_resent_total"), "the job is sent again"))
        with contextlib.suppress(ProcessLookupError):  # ended by its worker, which has found that it lost the lease
            thaw(child)
        await in_thread(lambda: wait_until(lambda: not webs[0].pending, "it is answered"))
        assert not stack.redis.admin.exists(names.session(client.token))
        await client.connect(webs[1].url)
        await client.answered()
        check(client)
        assert not client.resumed[0]["recovered"]
        await client.close()

    run(scenario())


def test_a_history_whose_session_was_lost_is_not_taken_for_that_of_the_next(whole: Whole) -> None:
    async def scenario() -> None:
        client = await RpcClient("c").connect(whole.webs[0].url)
        await client.ask("97", "89")
        await client.answered()
        whole.redis.admin.delete(names.session(client.token))
        await client.ask("83")
        await client.answered()
        check(client)
        last = whole.redis.admin.hget(names.session(client.token), "last")
        assert whole.redis.admin.llen(names.history(client.token)) == int(last)
        await client.close()

    run(scenario())


def test_answers_that_nobody_heard_are_fetched(stack: Stack) -> None:
    stack.redis.start()
    web, _ = stack.web("web0"), stack.worker("worker0")
    stack.wait_ready()

    async def scenario() -> None:
        clients = [await RpcClient(f"c{i}-").connect(web.url) for i in range(10)]
        for turn in range(400):  # until it has hit an answer under way, and 40 times at least
            for number, client in enumerate(clients):
                if len(client.unanswered) < 200:  # above 256 the session would be refused as busy
                    await client.ask(*numbers(5, 10 * turn + number))
            stack.redis.admin.client_kill_filter(_type="pubsub")
            await asyncio.sleep(0.02)  # load, not an outcome
            if turn >= 40 and web.metric("primes_web_gaps_total"):
                break
        for client in clients:
            await client.answered()
        check(*clients)
        for client in clients:
            await client.close()

    run(scenario())
    print("gaps", web.metric("primes_web_gaps_total"))
    assert web.metric("primes_web_gaps_total") > 0


def test_a_full_redis_delays_answers_and_loses_none(stack: Stack) -> None:
    stack.redis.start()
    web, worker = stack.web("web0"), stack.worker("worker0")
    stack.wait_ready()
    child = freeze_child(web, worker)

    async def scenario() -> None:
        client = await RpcClient("patient").connect(web.url)
        await client.ask(HEAVY)
        await marked(stack, client, 1)
        stack.redis.admin.config_set("maxmemory", 1)
        await client.ask("97")
        thaw(child)
        await in_thread(lambda: wait_until(lambda: "could not write" in web.tail(), "the web process finds Redis full"))
        stack.redis.admin.config_set("maxmemory", 0)
        await client.answered()
        check(client)
        await client.close()

    run(scenario())


def test_a_session_outlives_its_socket_by_its_time_to_live_whenever_that_closes(stack: Stack) -> None:
    stack.redis.start()
    web, _ = stack.web("web0", "--session-ttl", "2"), stack.worker("worker0")
    stack.wait_ready()

    async def scenario() -> None:
        client = await RpcClient("idle").connect(web.url)
        await client.ask("97")
        await client.answered()
        keys = names.session(client.token), names.history(client.token)
        left = [[stack.redis.admin.pttl(key) for key in keys]]
        while len(left) < 60:  # six seconds: until it was renewed more than once
            await asyncio.sleep(0.1)  # between two looks
            left.append([stack.redis.admin.pttl(key) for key in keys])
        session, history = zip(*left, strict=True)
        assert min(session) >= 2000 and min(history) >= 2000
        assert sum(after > before for before, after in pairwise(session)) > 1
        await client.close()

    run(scenario())


def test_an_answer_after_its_socket_closed_keeps_no_session(stack: Stack) -> None:
    stack.redis.start()
    web, worker = stack.web("web0", "--session-ttl", "2"), stack.worker("worker0")
    stack.wait_ready()
    child = freeze_child(web, worker)

    async def scenario() -> None:
        client = await RpcClient("gone").connect(web.url)
        await client.ask(HEAVY)
        await marked(stack, client, 1)
        session, history = names.session(client.token), names.history(client.token)
        await client.drop()
        await eventually(lambda: web.metric("primes_web_sessions") == 0, "its socket is known to be closed, and renewed no more")
        stack.redis.admin.expire(session, 5)  # as it is some seconds after its socket closed
        thaw(child)
        await kept(stack, client, 1)
        assert max(stack.redis.admin.pttl(session), stack.redis.admin.pttl(history) - 1_001) <= 5_000
        await in_thread(lambda: wait_until(lambda: not stack.redis.admin.exists(session, history), "both are gone"))

    run(scenario())


def test_an_expired_session_is_not_recovered_and_gets_a_new_token(stack: Stack) -> None:
    stack.redis.start()
    web, _ = stack.web("web0", "--session-ttl", "2"), stack.worker("worker0")
    stack.wait_ready()

    async def scenario() -> None:
        client = await RpcClient("late").connect(web.url)
        await client.ask("97")
        await client.answered()
        await asyncio.sleep(3)  # longer than its time to live: a connected session does not expire
        token = client.token
        assert stack.redis.admin.exists(names.session(token))
        await client.drop()
        await in_thread(lambda: wait_until(lambda: not stack.redis.admin.exists(names.session(token)), "the session is gone"))
        await client.connect(web.url)
        assert not client.resumed[0]["recovered"]
        assert client.token != token
        await client.ask("89")
        await client.answered()
        check(client)
        await client.close()

    run(scenario())


def test_a_history_that_is_too_short_is_admitted(whole: Whole) -> None:
    async def scenario() -> None:
        client = await RpcClient("long").connect(whole.webs[0].url)
        await client.ask("97")
        await client.answered()
        early = client.offset
        for turn in range(0, names.HISTORY + 50, 100):
            await client.ask(*numbers(100, turn))
            await client.answered()
        await client.drop()
        fields = whole.redis.admin.hlen(names.session(client.token))
        assert fields <= names.HISTORY + 5
        assert whole.redis.admin.llen(names.history(client.token)) == names.HISTORY
        client.offset = early
        await client.connect(whole.webs[1].url)
        assert not client.resumed[0]["recovered"]
        await client.ask("89")
        await client.answered()
        check(client)
        await client.close()

    run(scenario())


@pytest.mark.parametrize("token", ["A" * 22, "", "*", "x:answers"])
def test_a_token_that_is_nobodys_opens_nothing(whole: Whole, token: str) -> None:
    async def scenario() -> None:
        victim = await RpcClient("victim").connect(whole.webs[0].url)
        await victim.ask("97")
        await victim.answered()
        thief = RpcClient("thief", token=token or victim.token[:-1] + "!", offset=victim.offset)
        await thief.connect(whole.webs[0].url)
        assert not thief.resumed[0]["recovered"]
        assert thief.token not in (token, victim.token)
        assert not thief.answers
        await victim.ask("89")
        await victim.answered()
        check(victim)
        await thief.close()
        await victim.close()

    run(scenario())


def test_a_session_that_asks_too_much_is_told_that_it_is_busy(front: Front) -> None:
    web, worker = front.web("busy", "--session-in-flight", "2"), front.worker("worker")
    front.wait_ready()
    child = freeze_child(front.web0, worker)

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        await client.ask(HEAVY, HEAVY)
        await client.send(client.request("third", "97"))
        await client.until(lambda: client.errors, "it is told")
        assert client.errors[0]["error"]["data"] == {"code": "busy", "retryable": True, "retry_after": 1}
        thaw(child)
        await client.answered()
        await client.ask("97")
        await client.answered()
        assert client.tally().clean
        await client.close()

    run(scenario())


def test_a_dead_letter_is_told_to_the_session_that_asked(front: Front) -> None:
    worker = front.worker("worker")
    front.wait_ready()

    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        await client.ask(SLOW)
        await in_thread(lambda: kill_children(worker, 3))
        await client.until(lambda: client.errors, "the fault is told")
        data = client.errors[0]["error"]["data"]
        assert (data["code"], data["retryable"]) == ("poison", False)
        await client.drop()
        again = await RpcClient(token=client.token).connect(front.web0.url)
        await again.until(lambda: again.errors, "it is told again to the client that did not get it")
        assert again.errors == client.errors
        assert data["offset"].endswith("-1")
        await again.close()

    run(scenario())


def test_a_client_that_does_not_read_is_closed(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web("web0")
    stack.wait_ready()
    before = web.metric("process_resident_memory_bytes")
    with RawClient(web.url, narrow=True, subprotocol="primes.v1") as client:
        wrong = json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "x" * 100}] * 100)
        for _ in range(400):  # 8 MB of errors
            client.send(wrong)
        assert client.wait_closed() == 4002
    grown = web.metric("process_resident_memory_bytes") - before
    print(f"grown by {grown / 1e6:.1f} MB")
    assert grown < 16e6


def test_a_history_of_large_answers_is_told_in_parts_and_is_held_by_no_process(front: Front) -> None:
    web, admin = front.web0, front.redis.admin
    worker = front.worker()
    front.wait_ready()
    with RawClient(web.url, subprotocol="primes.v1") as client:
        token = json.loads(client.receive())["params"]["session"]
        client.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "is_prime", "params": {"number": "97"}}))
        assert json.loads(client.receive())["result"]["verdict"] == "prime"
    worker.kill()
    factors = Factors([Divisor(str(10_000 + n), 1, Verdict.PRIME) for n in range(1_000)])  # as of the product of so many primes
    answers = {str(id): Answer(0, Verdict.COMPOSITE, "trial division", factors=factors) for id in range(2, names.HISTORY + 1)}
    admin.rpush(names.history(token), *map(msgspec.msgpack.encode, answers.items()))
    admin.hset(names.session(token), mapping={"last": names.HISTORY, **{f"?{id}": id for id in answers}})
    before, offset, sockets = web.metric("process_resident_memory_bytes"), "0", 0
    told: list[int] = []
    while len(told) < names.HISTORY:
        sockets += 1
        with RawClient(web.url, subprotocol="primes.v1") as client:
            client.receive()
            resume = {"jsonrpc": "2.0", "id": "again", "method": "resume", "params": {"session": token, "offset": offset}}
            client.send(json.dumps(resume))
            assert json.loads(client.receive())["result"]["recovered"]
            with contextlib.suppress(AssertionError):  # the close frame, before the last
                while len(told) < names.HISTORY:
                    answer = json.loads(client.receive())
                    told.append(answer["id"])
                    offset = answer["result"]["offset"]
            if len(told) < names.HISTORY:
                assert client.wait_closed() == 4002
    assert told == list(range(1, names.HISTORY + 1))
    grown = web.metric("process_resident_memory_bytes") - before
    print(f"{sockets} sockets, grown by {grown / 1e6:.1f} MB")
    assert grown < 64e6


@pytest.mark.timeout(200)
def test_clients_that_move_while_everything_breaks_get_every_answer_once(stack: Stack) -> None:
    stack.redis.start()
    webs = [stack.web(f"web{i}") for i in range(3)]
    workers = [stack.worker(f"worker{i}", "--lease", "1") for i in range(2)]
    stack.wait_ready()
    draw = random.Random(7)
    up: list[Web] = list(webs)

    async def live(client: RpcClient, seed: int) -> None:
        for turn in range(12):
            await client.keep_connecting(lambda: draw.choice(up).url)
            await client.ask(*numbers(10, 100 * seed + turn, heavy=1))
            await asyncio.sleep(draw.random() * 0.2)  # load, not an outcome
            if turn < 11:
                await client.drop()
        await client.until(lambda: not client.unanswered or client.cut_off, "every answer came")
        if client.unanswered:
            await client.keep_connecting(lambda: draw.choice(up).url)
        await client.answered()

    async def disturb() -> None:
        for turn in range(4):
            await asyncio.sleep(0.4)
            stack.redis.admin.client_kill_filter(_type="pubsub")
            if turn == 1:
                workers[0].kill()
                workers.append(await in_thread(lambda: stack.worker("worker2", "--lease", "1")))
            if turn == 2:
                victim = up.pop(0)
                victim.kill()

    async def scenario() -> None:
        clients = [RpcClient(f"c{i}-") for i in range(30)]
        trouble = asyncio.create_task(disturb())
        await asyncio.gather(*(live(client, seed) for seed, client in enumerate(clients)))
        await trouble
        check(*clients)
        for client in clients:
            await client.close()

    run(scenario())
