"""A proof in parts is made by all workers together, whichever of them dies, and whatever becomes of its parts in Redis."""

import asyncio
import hashlib
import random
import signal
import time
from collections.abc import Coroutine
from typing import Any

import gmpy2

import certificates
from services.jobs import names
from services.jobs.names import Lane
from services.worker.parts.keep import digest
from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.proof import PARTED_ABOVE
from tests.integration.conftest import Front
from tests.integration.processes import children, cmdline, cpu
from tests.integration.stack import Worker
from tests.integration.v1_clients import RpcClient, in_thread
from tests.integration.waiting import eventually

SHORT = PARTED_ABOVE + 60  # digits: some seconds
LONG = PARTED_ABOVE + 300  # ten seconds and more: both children have started, and there is time to break something in the middle
PROVEN = 300  # s for such a proof, on a machine that others use

LEASE = "6"  # seconds: whoever stands still for less keeps its proof, and does not leave it to one that begins anew

ONE = {"PRIMES_PART_PROCESSES": "1"}
NONE = {"PRIMES_PART_PROCESSES": "0"}


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


def prime(digits: int) -> str:
    """One that no other test asks for: what is kept of another proof is not of this one."""
    return str(gmpy2.next_prime(gmpy2.mpz(random.randrange(10 ** (digits - 1), 2 * 10 ** (digits - 1)))))


def pair(front: Front, *options: str) -> list[Worker]:
    """Two workers, each with one child for parts."""
    workers = [front.worker(name, "--lease", LEASE, *options, environment=ONE) for name in ("first", "second")]
    front.wait_ready()
    return workers


async def asked(front: Front, number: str) -> RpcClient:
    """A client that asked for the proof."""
    client = await RpcClient().connect(front.web0.url)
    client.numbers[1] = number
    await client.send({"id": 1, "method": "is_prime", "params": {"number": number, "proof": True}})
    return client


async def proven(client: RpcClient, front: Front) -> None:
    """Wait until it is, and have both texts verified without a word of the server."""
    await client.until(lambda: 1 in client.answers or client.errors, "the request is answered", PROVEN)
    assert client.errors == []
    (result,) = client.answers[1]
    await in_thread(lambda: check(front, result, client.numbers[1]))
    assert client.tally().clean
    await client.close()


def check(front: Front, result: dict[str, Any], number: str) -> None:
    """The answer's certificate proves the number."""
    assert (result["verdict"], result["proven"]) == ("prime", True)
    sha256 = str(result["evidence"]["certificate"])
    texts = [front.web0.get(f"/certificates/{sha256}{query}").body for query in ("", "?format=pari")]
    assert hashlib.sha256(texts[0]).hexdigest() == sha256
    for text in texts:
        certificate = certificates.read(text)
        assert certificate.n == gmpy2.mpz(number)
        certificates.verify(certificate)


def told(worker: Worker) -> float:
    return worker.metric("primes_worker_parts_total", outcome="told")


def begun(worker: Worker, how: str) -> float:
    return worker.metric("primes_worker_chains_total", begun=how)


def coordinates(worker: Worker) -> bool:
    return worker.metric("primes_worker_chain_digits") > 0


def parts(front: Front) -> list[bytes]:
    """Keys of parts that wait."""
    return list(front.redis.admin.keys("{primes}:parts*"))


async def under_way(front: Front, workers: list[Worker], number: str) -> tuple[Worker, Worker]:
    """Wait until some of the proof is kept and both workers computed parts; returns the one that coordinates, and the other."""
    await eventually(lambda: left(front, number) < len(number) - 20, "twenty digits of the proof are kept", PROVEN)
    await eventually(lambda: all(told(worker) > 0 for worker in workers), "both compute parts")
    first, second = workers
    return (first, second) if await in_thread(lambda: coordinates(first)) else (second, first)


def left(front: Front, number: str) -> int:
    """Digits of the number that the chain has come to that is kept."""
    saved = front.redis.admin.get(names.chain(digest(number)))
    return len(number) if saved is None else Chain.restore(gmpy2.mpz(number), saved).digits_left


async def goes_on(worker: Worker) -> None:
    """Wait until it goes on with the proof, and see that it did not begin anew."""
    await eventually(lambda: begun(worker, "restored") == 1, "the other worker goes on with the proof", PROVEN)
    assert await in_thread(lambda: begun(worker, "anew")) == 0


def test_two_workers_make_one_proof(front: Front) -> None:
    workers = pair(front)

    async def scenario() -> None:
        client = await asked(front, prime(LONG))
        await proven(client, front)
        assert [verdict["verdict"] for verdict in client.verdicts] == ["probably_prime"]

    run(scenario())
    assert all(told(worker) > 0 for worker in workers)
    assert sum(begun(worker, "anew") for worker in workers) == 1
    assert parts(front) == []


def test_a_worker_without_children_for_parts_has_others_compute_them(front: Front) -> None:
    """Whichever of the two claims the run."""
    idle, busy = front.worker("idle", environment=NONE), front.worker("busy", environment=ONE)
    front.wait_ready()

    async def scenario() -> None:
        await proven(await asked(front, prime(SHORT)), front)

    run(scenario())
    assert told(idle) == 0
    assert told(busy) > 0


def test_a_worker_that_helps_is_killed(front: Front) -> None:
    workers, number = pair(front), prime(LONG)

    async def scenario() -> None:
        client = await asked(front, number)
        coordinator, helper = await under_way(front, workers, number)
        await in_thread(lambda: helper.send(signal.SIGKILL))
        await proven(client, front)
        assert await in_thread(lambda: begun(coordinator, "anew")) == 1

    run(scenario())


def test_the_worker_that_coordinates_is_killed_and_another_goes_on(front: Front) -> None:
    workers, number = pair(front), prime(LONG)

    async def scenario() -> None:
        client = await asked(front, number)
        coordinator, helper = await under_way(front, workers, number)
        await in_thread(lambda: coordinator.send(signal.SIGKILL))
        await goes_on(helper)
        await proven(client, front)

    run(scenario())


def test_a_worker_that_is_stopped_gives_the_proof_back_as_far_as_it_came(front: Front) -> None:
    workers, number = pair(front, "--drain", "0.5"), prime(LONG)

    async def scenario() -> None:
        client = await asked(front, number)
        coordinator, helper = await under_way(front, workers, number)
        await in_thread(lambda: coordinator.send(signal.SIGTERM))
        assert await in_thread(coordinator.wait) == 0
        await goes_on(helper)
        await proven(client, front)

    run(scenario())


def test_redis_is_emptied_in_the_middle(front: Front) -> None:
    """Sessions are gone then, so the client is one of HTTP."""
    workers, number = pair(front), prime(LONG)

    def wait_over_http() -> Any:
        deadline = time.monotonic() + PROVEN
        while (response := front.web0.get(f"/primes/{number}?proof=true&timeout=60", seconds=90)).status == 504:
            assert time.monotonic() < deadline
        assert response.status == 200, response.body
        return response.json

    async def scenario() -> None:
        asking = asyncio.create_task(in_thread(wait_over_http))
        await under_way(front, workers, number)
        front.redis.admin.flushall()
        result = await asking
        await in_thread(lambda: check(front, result, number))

    run(scenario())


def test_what_came_of_parts_is_lost(front: Front) -> None:
    workers, number = pair(front), prime(LONG)

    def given_again() -> bool:
        """Those that listen are cut off, over and over, until a part was given out again."""
        front.redis.admin.client_kill_filter(_type="pubsub")
        return sum(worker.metric("primes_worker_parts_given_again_total") for worker in workers) > 0

    async def scenario() -> None:
        client = await asked(front, number)
        await under_way(front, workers, number)
        await eventually(given_again, "a part is given out again", PROVEN)
        await proven(client, front)

    run(scenario())


def test_what_is_cancelled_leaves_no_parts_and_its_children_to_the_next(front: Front) -> None:
    workers, number = pair(front), prime(LONG)

    def computing() -> list[int]:
        return [child for worker in workers for child in children(worker.pid) if b"parts.child" in cmdline(child)]

    async def scenario() -> None:
        client = await asked(front, number)
        await under_way(front, workers, number)
        before = await in_thread(computing)
        assert await client.cancel(1)
        await eventually(lambda: not parts(front), "no part is left")
        await eventually(lambda: not any(map(coordinates, workers)), "nobody coordinates it")
        assert front.redis.length(Lane.PROOF) == 0
        await client.close()
        await proven(await asked(front, prime(SHORT)), front)
        assert await in_thread(computing) == before
        assert all(cpu(child) > 0 for child in before)

    run(scenario())
