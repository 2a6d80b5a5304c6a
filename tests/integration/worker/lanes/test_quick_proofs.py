"""Quick primes above 3.3e24 come proven, and keep no other number waiting."""

import asyncio
import os
import random
import signal
from typing import Any

import gmpy2
import pytest

import certificates
from tests.integration.conftest import Front
from tests.integration.plain_clients import PRIME, RawClient
from tests.integration.processes import children, cmdline, frozen
from tests.integration.stack import Worker
from tests.integration.v1_clients import RpcClient, in_thread
from tests.integration.waiting import wait_until

MERSENNE = str(2**127 - 1)


async def answer(client: RpcClient, id: Any) -> dict[str, Any]:
    await client.until(lambda: id in client.answers or client.errors, f"request {id} is answered")
    assert client.errors == []
    (result,) = client.answers[id]
    return result


def prover(worker: Worker) -> int:
    """The child that proves quick primes."""

    def found() -> list[int]:
        return [child for child in children(worker.pid) if b"--briefly" in cmdline(child)]

    return wait_until(found, "the worker has a child for quick primes")[0]


@pytest.mark.parametrize("n", [2**127 - 1, 10**30 + 57, 10**99 + 289, gmpy2.next_prime(gmpy2.fac(60)), 2**89 - 1])
def test_a_prime_comes_with_a_certificate_that_anybody_can_check(manned: Front, n: int) -> None:
    told = wait_until(lambda: proven(manned, n), "it is proven, at once where the machine is not too busy")
    assert told["verdict"] == "prime"
    certificate = certificates.read(manned.web0.get(f"/certificates/{told['evidence']['certificate']}?format=pari").body)
    certificates.verify(certificate)
    assert certificate.n == n


def proven(front: Front, n: int) -> dict[str, Any]:
    told = front.web0.get(f"/primes/{n}").json
    return told if told["proven"] else {}


def test_random_primes_of_39_digits_are_proven(manned: Front) -> None:
    chance = random.Random(39)
    for _ in range(20):
        n = gmpy2.next_prime(chance.randrange(10**38, 10**39))
        wait_until(lambda: proven(manned, n), "it is proven, at once where the machine is not too busy")  # noqa: B023  # waited for in this very turn


def test_what_stands_beside_a_prime_is_answered_before_its_proof_and_the_prime_though_there_is_none(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        client.numbers.update({1: MERSENNE, 2: "97", 3: "91"})
        child = await in_thread(lambda: prover(manned.worker0))
        with frozen(child):
            await client.send(*({"id": id, "method": "is_prime", "params": {"number": n}} for id, n in client.numbers.items()))
            assert (await answer(client, 1))["verdict"] == "probably_prime"
            assert list(client.answers) == [2, 3, 1]
        await in_thread(
            lambda: wait_until(
                lambda: manned.worker0.metric("primes_worker_running", lane="quick") == 0, "the entry is held no more"
            )
        )
        await client.close()

    asyncio.run(scenario())


def test_a_prime_whose_worker_dies_before_its_proof_is_answered_once_by_another(front: Front) -> None:
    doomed = front.worker("doomed", "--lease", "1")
    front.wait_ready()

    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        client.numbers.update({1: MERSENNE, 2: "97"})
        child = await in_thread(lambda: prover(doomed))
        with frozen(child):
            await client.send(*({"id": id, "method": "is_prime", "params": {"number": n}} for id, n in client.numbers.items()))
            await answer(client, 2)
            doomed.kill()
        other = front.worker("other", "--lease", "1")
        await in_thread(lambda: front.wait_ready(other))
        assert (await answer(client, 1))["verdict"] in ("prime", "probably_prime")
        assert (len(client.answers[1]), len(client.answers[2])) == (1, 1)
        await client.close()

    asyncio.run(scenario())


def test_primes_are_proven_again_after_the_child_was_killed(manned: Front) -> None:
    os.kill(prover(manned.worker0), signal.SIGKILL)
    wait_until(lambda: proven(manned, int(MERSENNE)), "a prime is proven")


def test_the_plain_protocol_waits_for_no_proof(manned: Front) -> None:
    with frozen(prover(manned.worker0)), RawClient(manned.web0.url) as client:
        before = manned.worker0.metric("primes_worker_unasked_proofs_total", outcome="late")
        client.send(MERSENNE)
        assert list(client.messages(1)) == [PRIME]
        assert manned.worker0.metric("primes_worker_unasked_proofs_total", outcome="late") == before
