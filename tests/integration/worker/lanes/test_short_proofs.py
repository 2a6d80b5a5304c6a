"""A short proof is made while every usual child computes long numbers and every usual prover makes long proofs."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import gmpy2
import pytest

import certificates
from services.jobs.names import Lane
from tests.integration.conftest import Front
from tests.integration.plain_clients import SLOW, RawClient
from tests.integration.processes import children, computing, cpu, freeze, provers, state
from tests.integration.stack import Worker
from tests.integration.v1_clients import RpcClient, in_thread
from tests.integration.waiting import eventually, wait_until

SMALL = str(10**30 + 57)
SHORT = str(gmpy2.next_prime(gmpy2.mpz(10) ** 149))  # of 150 digits
OTHER = str(gmpy2.next_prime(gmpy2.mpz(10) ** 119))
LONG = [str(gmpy2.mpz(10) ** 999 + n) for n in (7, 663)]  # primes of 1,000 digits, which are proven in parts

# No worker computes parts, so that a long proof keeps its prover for as long as it is wanted.
SPARED = {"PRIMES_SHORT_PROCESSES": "1", "PRIMES_SHORT_PROOF_PROCESSES": "1", "PRIMES_PART_PROCESSES": "0"}
AT_WORK = 1.0  # s of CPU that no child takes to start: what took them computes


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


async def ask(client: RpcClient, *numbers: str) -> list[str]:
    """Have numbers proven; returns the requests' ids."""
    ids = [f"{len(client.numbers) + index}" for index in range(len(numbers))]
    client.numbers.update(zip(ids, numbers, strict=True))
    for id, number in zip(ids, numbers, strict=True):
        await client.send({"id": id, "method": "is_prime", "params": {"number": number, "proof": True}})
    return ids


async def proven(client: RpcClient, front: Front, *numbers: str) -> None:
    """Wait until they are proven, and verify that."""
    ids = [id for id, number in client.numbers.items() if number in numbers]
    await client.until(lambda: client.answers.keys() >= {*ids}, "the short ones are proven")
    for id in ids:
        (result,) = client.answers[id]
        text = await in_thread(lambda: front.web0.get(f"/certificates/{result['evidence']['certificate']}"))  # noqa: B023  # waited for in this very turn
        certificate = certificates.read(text.body)
        assert certificate.n == int(client.numbers[id])
        certificates.verify(certificate)


def occupied(found: list[int]) -> list[int]:
    """The first child that computes, stopped with all that it started; empty when there is none yet."""
    for child in found:
        family = [child, *children(child)]
        if any(cpu(each) >= AT_WORK for each in family):
            for each in family:
                freeze(each)
            return family
    return []


async def occupy_prover(client: RpcClient, worker: Worker, number: str) -> None:
    """Have the worker's usual prover wait for the parts of a long proof."""
    await ask(client, number)
    await eventually(lambda: worker.metric("primes_worker_chain_digits") > 0, f"{worker.name} makes a long proof")


async def stop_spare(client: RpcClient, front: Front, worker: Worker) -> list[int]:
    """Have the child for short proofs make one while the usual one is busy, and stop both; returns their ids."""
    await ask(client, SMALL)
    await proven(client, front, SMALL)
    found = provers(worker.pid)
    for each in found:
        freeze(each)
    return found


def test_short_proofs_are_made_while_all_usual_children_are_at_work_for_a_long_time(front: Front) -> None:
    worker = front.worker("spare", environment=SPARED)
    front.wait_ready()

    async def scenario() -> None:
        greedy, polite = await RpcClient().connect(front.web0.url), await RpcClient().connect(front.web0.url)
        await occupy_prover(greedy, worker, LONG[0])
        with RawClient(front.web0.url) as plain:
            for n in (0, 2):
                plain.send((gmpy2.mpz(SLOW) + n).digits())
            stopped = await eventually(lambda: occupied(computing(worker.pid)), "a long number is computed")
            await ask(greedy, LONG[1])
            await greedy.until(lambda: len(greedy.verdicts) == 2, "the first verdict of the other long one came")
            await ask(polite, SMALL)
            await ask(greedy, SHORT)  # behind two long ones of its own
            await proven(polite, front, SMALL)
            await proven(greedy, front, SHORT)
            assert {verdict["verdict"] for verdict in (*greedy.verdicts, *polite.verdicts)} == {"probably_prime"}
            assert all(state(each) == "T" for each in stopped)
            # The long ones wait: one of each lane with its child, and the other for that child.
            assert [front.redis.held("spare", lane) for lane in (Lane.HEAVY, Lane.PROOF)] == [1, 1]
            assert [front.redis.length(lane) for lane in (Lane.HEAVY, Lane.PROOF)] == [2, 2]
        for id in [id for id, number in greedy.numbers.items() if number in LONG]:
            assert await greedy.cancel(id)
        for client in (greedy, polite):
            await client.close()

    run(scenario())


def test_a_short_proof_that_is_cancelled_leaves_its_child_to_the_next(front: Front) -> None:
    worker = front.worker("spare", environment=SPARED)
    front.wait_ready()

    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        await occupy_prover(client, worker, LONG[0])
        found = await stop_spare(client, front, worker)
        (id,) = await ask(client, SHORT)
        await eventually(lambda: front.redis.held("spare", Lane.PROOF) == 2, "it is being proven")
        assert await client.cancel(id)
        await eventually(lambda: len([each for each in found if not state(each)]) == 1, "its child is gone")
        await ask(client, OTHER)
        await proven(client, front, OTHER)
        assert await client.cancel("0")
        await client.close()

    run(scenario())


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
def test_a_short_proof_of_a_worker_that_ends_is_made_by_another_though_that_makes_a_long_one(front: Front, ended_by: int) -> None:
    short = ["--lease", "1", "--drain", "0.5"]
    first = front.worker("first", *short, environment=SPARED)
    front.wait_ready()

    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        await occupy_prover(client, first, LONG[0])
        await stop_spare(client, front, first)
        await ask(client, SHORT)
        await eventually(lambda: front.redis.held("first", Lane.PROOF) == 2, "both are being proven")
        second = front.worker("second", *short, environment=SPARED)
        await in_thread(lambda: front.wait_ready(second))
        await occupy_prover(client, second, LONG[1])
        first.send(ended_by)
        await proven(client, front, SHORT)
        assert front.redis.held("second", Lane.PROOF) == 1
        for id in [id for id, number in client.numbers.items() if number in LONG]:
            assert await client.cancel(id)
        await client.close()

    run(scenario())
    wait_until(lambda: not first.running, "the first one has ended")
