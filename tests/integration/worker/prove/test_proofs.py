"""A proof that is asked for comes after a first verdict, with a certificate that anyone can check."""

import asyncio
import hashlib
from collections.abc import Coroutine
from typing import Any

import gmpy2

import certificates
from services.jobs import names
from services.jobs.messages import Job, Wanted, digest
from services.jobs.names import Lane
from tests.integration.conftest import Front
from tests.integration.processes import children, freeze, provers, state, thaw
from tests.integration.stack import Stack, Web, Worker
from tests.integration.v1_clients import RpcClient, in_thread
from tests.integration.waiting import eventually, wait_until

PRIME = str(gmpy2.next_prime(gmpy2.mpz(10) ** 99))  # of 100 digits
OTHER = str(gmpy2.next_prime(gmpy2.mpz(10) ** 119))
LARGE = str(gmpy2.mpz(10) ** 999 + 7)  # of 1,000 digits: minutes of proof


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


async def ask(client: RpcClient, id: Any, number: str, **params: Any) -> None:
    client.numbers[id] = number
    await client.send({"id": id, "method": "is_prime", "params": {"number": number, **params}})


async def answer(client: RpcClient, id: Any) -> dict[str, Any]:
    await client.until(lambda: id in client.answers or client.errors, f"request {id} is answered")
    assert client.errors == []
    (result,) = client.answers[id]
    return result


def proving(worker: Worker) -> float:
    return worker.metric("primes_worker_running", lane="proof")


def check(web: Web, result: dict[str, Any], number: str) -> str:
    """Fetch the certificate and have it verified without a word of the server; returns its SHA-256."""
    assert (result["verdict"], result["proven"]) == ("prime", True)
    sha256 = str(result["evidence"]["certificate"])
    text = web.get(f"/certificates/{sha256}")
    assert text.status == 200
    assert hashlib.sha256(text.body).hexdigest() == sha256
    for body in (text.body, web.get(f"/certificates/{sha256}?format=pari").body):
        read = certificates.read(body)
        assert read.n == gmpy2.mpz(number)
        certificates.verify(read)
    return sha256


def test_a_first_verdict_comes_and_then_the_proof(manned: Front) -> None:
    web = manned.web0

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        await ask(client, 1, PRIME, proof=True)
        result = await answer(client, 1)
        (verdict,) = client.verdicts
        assert (verdict["id"], verdict["verdict"], verdict["proven"]) == (1, "probably_prime", False)
        await in_thread(lambda: check(web, result, PRIME))
        assert client.tally().clean
        await client.close()

    run(scenario())


def test_what_needs_no_proof_is_answered_at_once(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        for id, number, verdict in ((1, "97", "prime"), (2, str(gmpy2.mpz(2) ** 607 + 1), "composite"), (3, "-5", "neither")):
            await ask(client, id, number, proof=True)
            assert (await answer(client, id))["verdict"] == verdict
        assert client.verdicts == []
        await client.close()

    run(scenario())


def test_a_certificate_comes_for_a_small_prime_too(manned: Front) -> None:
    web = manned.web0

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        for id, number in enumerate(("2", "97", "18446744073709551557", "18446744073709551629")):
            await ask(client, id, number, certificate=True)
            result = await answer(client, id)
            sha256 = result["evidence"]["certificate"]
            read = certificates.read((await in_thread(lambda: web.get(f"/certificates/{sha256}"))).body)  # noqa: B023  # waited for in this very turn
            assert read.n == int(number)
            certificates.verify(read)
        await client.close()

    run(scenario())


def test_all_who_want_the_proof_wait_for_one_and_are_told_the_first_verdict(manned: Front) -> None:
    other = manned.web("other")
    manned.wait_ready(other)
    worker = manned.worker0

    async def scenario() -> None:
        first, second = await RpcClient().connect(manned.web0.url), await RpcClient().connect(other.url)
        await ask(first, 1, LARGE, proof=True)
        await eventually(lambda: proving(worker) == 1, "it is being proven")
        await ask(second, 1, LARGE, proof=True)
        for client in (first, second):
            await client.until(lambda: client.verdicts, "the first verdict came")  # noqa: B023  # waited for in this very turn
            assert client.verdicts[0]["verdict"] == "probably_prime"
        assert manned.redis.length(Lane.PROOF) == 1
        await first.until(lambda: first.progress, "its progress is told")
        (job,) = first.progress[-1]
        assert (job["id"], job["verdict"]) == (1, "probably_prime")
        for client in (first, second):
            assert await client.cancel(1)
        await eventually(lambda: manned.redis.length(Lane.PROOF) == 0 and proving(worker) == 0, "nothing is left of it")
        for client in (first, second):
            await client.close()

    run(scenario())


def test_a_cancelled_proof_is_dead_with_all_its_processes(manned: Front) -> None:
    worker = manned.worker0

    def prover() -> list[int]:
        return [grandchild for child in provers(worker.pid) for grandchild in children(child)]

    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        await ask(client, 1, LARGE, proof=True)
        await eventually(lambda: proving(worker) == 1, "the proof is under way")
        (pari,) = await eventually(prover, "PARI is at work")
        assert await client.cancel(1)
        await eventually(lambda: not state(pari), "PARI's process is gone")
        await client.until(lambda: client.errors, "the request is answered")
        assert client.errors[0]["error"]["data"]["code"] == "cancelled"
        assert not manned.redis.admin.exists(names.question(digest(Job(1, LARGE, wanted=Wanted.PROOF))))
        await client.close()

    run(scenario())


def test_a_proof_whose_worker_is_killed_is_made_by_another(front: Front) -> None:
    first = front.worker("first", "--lease", "1")
    front.wait_ready()

    async def scenario() -> None:
        client = await RpcClient().connect(front.web0.url)
        await ask(client, "warm", OTHER, proof=True)
        await answer(client, "warm")
        (child,) = provers(first.pid)
        freeze(child)  # else the proof could be made before the worker is killed
        await ask(client, 1, PRIME, proof=True)
        await eventually(lambda: proving(first) == 1, "it is being proven")
        front.worker("second", "--lease", "1")
        await in_thread(first.kill)
        result = await answer(client, 1)
        await in_thread(lambda: check(front.web0, result, PRIME))
        assert client.tally().clean
        await client.close()

    run(scenario())


def test_one_proof_too_many_is_refused_with_what_is_known(manned: Front) -> None:
    admin, stream = manned.redis.admin, names.stream(Lane.PROOF)

    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        await ask(client, 1, LARGE, proof=True)
        await eventually(lambda: proving(manned.worker0) == 1, "the prover is busy")
        for _ in range(names.PROOFS):
            admin.xadd(stream, {"note": "takes a place"})
        await ask(client, 2, PRIME, proof=True)
        await client.until(lambda: client.errors, "it is refused")
        told = client.errors[0]["error"]["data"]
        assert (told["code"], told["best"]) == ("unproven", "probably_prime")
        assert told["method"].endswith("no proof: 2,000 others wait for one")
        (first,) = admin.xpending_range(stream, names.GROUP, "-", "+", 1)
        admin.xtrim(stream, minid=first["message_id"], approximate=False)
        for id, _ in admin.xrange(stream):
            if id != first["message_id"]:
                admin.xdel(stream, id)
        assert await client.cancel(1)
        await client.close()

    run(scenario())


def test_a_proof_that_runs_out_of_time_tells_what_is_known(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        await ask(client, 1, LARGE, proof=True, deadline=8)
        await client.until(lambda: client.errors, "it is answered")
        told = client.errors[0]["error"]["data"]
        assert (told["code"], told["verdict"]) == ("deadline", "unknown")
        assert client.verdicts[0]["verdict"] == "probably_prime"
        await client.close()

    run(scenario())
    wait_until(lambda: manned.redis.length(Lane.PROOF) == 0, "nothing is left of it")


def test_a_session_gets_the_proof_wherever_it_comes_back(manned: Front) -> None:
    other = manned.web("other")
    manned.wait_ready(other)

    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        await ask(client, "warm", OTHER, proof=True)
        await answer(client, "warm")
        (child,) = provers(manned.worker0.pid)
        freeze(child)
        await ask(client, 1, PRIME, proof=True)
        await client.until(lambda: len(client.verdicts) == 2, "the first verdict came")
        await client.drop()
        await client.connect(other.url)
        assert client.resumed[-1]["pending"] == [1]
        thaw(child)
        result = await answer(client, 1)
        await in_thread(lambda: check(other, result, PRIME))
        await client.close()

    run(scenario())


def test_http_waits_for_the_proof_or_tells_what_is_known_and_lets_it_go_on(stack: Stack) -> None:
    stack.redis.start()
    web, _ = stack.web("web0"), stack.worker("worker0")
    stack.wait_ready()
    result = web.get(f"/primes/{PRIME}?proof=true").json
    check(web, result, PRIME)
    late = web.get(f"/primes/{LARGE}?proof=true&timeout=8")
    assert (late.status, late.json["error"]["code"], late.json["error"]["best"]) == (504, "timeout", "probably_prime")
    assert stack.redis.length(Lane.PROOF) == 1
    again = web.get(f"/primes/{LARGE}?proof=true&timeout=4")
    assert again.json["error"]["best"] == "probably_prime"
    assert (stack.redis.length(Lane.PROOF), web.pending) == (1, 2)  # for a minute


def test_bad_requests_for_certificates_say_what_is_wrong(manned: Front) -> None:
    web = manned.web0
    for path, status, code in (
        ("/certificates/abc", 404, "not_found"),
        ("/certificates/" + "0" * 64, 404, "not_found"),
        ("/certificates/" + "0" * 64 + "?format=pem", 400, "bad_request"),
        ("/primes/97?proof=yes", 400, "bad_request"),
        ("/primes/" + "9" * 2_000 + "?proof=true", 413, "too_large"),
    ):
        response = web.get(path)
        assert (response.status, response.json["error"]["code"]) == (status, code), path


def test_a_kept_proof_is_given_at_once_as_long_as_its_certificate_is_there(front: Front) -> None:
    worker = front.worker("worker0", "--cache-ttl", "60")
    front.wait_ready()
    first = front.web0.get(f"/primes/{OTHER}?proof=true").json
    sha256 = check(front.web0, first, OTHER)
    assert front.web0.get(f"/primes/{OTHER}?proof=true").json["compute_ms"] == first["compute_ms"]
    wait_until(lambda: worker.metric("primes_worker_jobs_total", lane="proof") == 1, "the first proof is counted")
    front.redis.admin.delete(names.certificate(sha256))
    check(front.web0, front.web0.get(f"/primes/{OTHER}?proof=true").json, OTHER)
    wait_until(lambda: worker.metric("primes_worker_jobs_total", lane="proof") == 2, "the second proof is counted")


def test_a_neighbouring_prime_is_proven(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        client.numbers[1] = "10^119"
        await client.send({"id": 1, "method": "next_prime", "params": {"number": "10^119", "proof": True}})
        found = await answer(client, 1)
        assert found["number"] == OTHER
        check(manned.web0, found, OTHER)
        await client.close()

    run(scenario())
    told = manned.web0.get("/primes/10%5E119/next?proof=true").json
    assert told["number"] == OTHER
    check(manned.web0, told, OTHER)
