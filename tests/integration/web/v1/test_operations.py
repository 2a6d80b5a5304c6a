"""Operations of `primes.v1` on their whole way, and what is told when time ran out."""

import asyncio
from typing import Any

import gmpy2
import pytest

from services.jobs.evidence import Witness, holds
from tests.integration.conftest import Front
from tests.integration.plain_clients import SEMIPRIME
from tests.integration.processes import children, cmdline
from tests.integration.v1_clients import RpcClient
from tests.integration.waiting import eventually

LONG = str(gmpy2.mpz(2) ** 9941 - 1)  # a prime: the first of its tests takes a quarter of the time of all


async def ask(client: RpcClient, id: Any, method: str, **params: Any) -> dict[str, Any]:
    """The one response: the result, or the error's data."""
    await client.send({"id": id, "method": method, "params": params})
    await client.until(lambda: any(response["id"] == id for response in client.errors), "it is answered")
    (response,) = (response for response in client.errors if response["id"] == id)
    return dict(response.get("result") or response["error"]["data"])


def test_neighbouring_primes_are_found_by_the_worker(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        found = await ask(client, 1, "next_prime", number="1000000000000")
        assert (found["number"], found["verdict"], found["proven"]) == ("1000000000039", "prime", True)
        found = await ask(client, 2, "previous_prime", number=10**100)
        assert int(found["number"]) == 10**100 - 797
        assert (found["verdict"], found["proven"]) == ("probably_prime", False)
        found = await ask(client, 3, "previous_prime", number=2)
        assert found["verdict"] == "neither"
        assert "number" not in found
        await client.close()

    asyncio.run(scenario())


def test_an_expression_is_evaluated_by_the_worker(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        assert (await ask(client, 1, "is_prime", number="2^127-1"))["verdict"] == "prime"
        assert (await ask(client, 2, "is_prime", number="31# - 1"))["verdict"] == "composite"
        assert (await ask(client, 3, "next_prime", number="10^100"))["number"] == str(10**100 + 267)
        assert (await ask(client, 4, "is_prime", number="(10^30+1)/10"))["code"] == "no_integer"
        assert (await ask(client, 5, "is_prime", number="9^9^9"))["code"] == "too_large"
        told = await ask(client, 7, "is_prime", number="9!2 * binomial(10,3) + Phi(3,10)")
        assert (told["verdict"], told["digits"], told["value"]) == ("composite", 6, "113511")
        assert "digits" not in await ask(client, 8, "is_prime", number="97")
        assert (await ask(client, 6, "is_prime", number="1477!+1"))["proven"]  # of 4,042 digits, by the factors of 1477!
        await client.close()

    asyncio.run(scenario())
    found = manned.web0.get("/primes/2%5E89-1").json
    assert (found["number"], found["verdict"]) == ("2^89-1", "prime")
    assert (found["digits"], found["value"]) == (27, str(2**89 - 1))
    assert manned.web0.get("/primes/(10%5E30+1)%2F10").json["error"]["code"] == "no_integer"


def test_factors_are_found_by_the_worker(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        found = await ask(client, 1, "factor", number="(10^5+3)^2 * (10^11+3) * (10^19+51) * (10^24+7)")
        powers = [(int(each["factor"]), each["multiplicity"], each["verdict"]) for each in found["factors"]]
        assert powers == [
            (10**5 + 3, 2, "prime"), (10**11 + 3, 1, "prime"), (10**19 + 51, 1, "prime"), (10**24 + 7, 1, "prime"),
        ]  # fmt: skip
        assert (found["verdict"], found["complete"], found["digits"]) == ("composite", True, 65)
        assert "cofactor" not in found
        assert "number" not in found
        found = await ask(client, 2, "factor", number=-1)
        assert (found["verdict"], found["factors"], found["complete"]) == ("neither", [], True)
        assert (await ask(client, 3, "factor", number="97", proof=True))["code"] == "invalid_params"
        await client.close()

    asyncio.run(scenario())


def test_a_search_ends_with_its_budget_and_tells_what_is_left(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        found = await ask(client, 1, "factor", number=f"7*{SEMIPRIME}")
        assert [each["factor"] for each in found["factors"]] == ["7"]
        assert (found["cofactor"]["number"], found["cofactor"]["verdict"]) == (SEMIPRIME, "composite")
        assert holds(int(SEMIPRIME), Witness(int(found["cofactor"]["evidence"]["witness"])))
        assert not found["complete"]
        await client.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("end", ["cancelled", "deadline"])
def test_a_search_that_nobody_waits_for_is_ended(manned: Front, end: str) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        number = f"{len(end)}*{SEMIPRIME}"  # a search of its own
        params = {"number": number, **({"deadline": 4} if end == "deadline" else {})}
        await client.send({"id": 1, "method": "factor", "params": params})
        await eventually(lambda: searching(manned), "the search runs in a process of its own")
        if end == "cancelled":
            assert await client.cancel(1) is True
        await client.until(lambda: client.errors, "the request is answered")
        (told,) = [error["error"]["data"] for error in client.errors if "error" in error]
        assert told["code"] == end
        if end == "deadline":
            assert (told["verdict"], told["best"], told["complete"]) == ("unknown", "composite", False)
            assert [(each["factor"], each["multiplicity"]) for each in told["factors"]] == [("2", 3)]
            assert told["cofactor"]["number"] == SEMIPRIME
        await eventually(lambda: not searching(manned), "the process has ended")
        assert (await ask(client, 3, "factor", number="91"))["complete"], "the worker is free"
        await client.close()

    asyncio.run(scenario())


def searching(front: Front) -> list[int]:
    """Processes that search for factors."""
    of_children = (child for computing in children(front.worker0.pid) for child in children(computing))
    return [pid for pid in of_children if b"services.worker.factor.split" in cmdline(pid)]


def test_a_job_that_runs_out_of_time_tells_the_best_that_is_known(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        seconds = 0.25
        for id in range(30):  # until one of them ends it between its first test and its last
            told = await ask(client, id, "is_prime", number=LONG, deadline=seconds)
            if "best" in told:
                break
            # that was too early or too late: a machine with others on it is now slower, now faster
            seconds *= 1.5 if told["verdict"] == "unknown" else 0.6
        assert (told.get("code"), told.get("best")) == ("deadline", "probably_prime")
        assert told["method"] in ("strong test to base 2", "BPSW")
        await client.close()

    asyncio.run(scenario())


def test_a_number_that_is_too_large_to_be_asked_for_is_too_large_to_be_proven(manned: Front) -> None:
    web = manned.web("strict", "--max-digits", "20")
    manned.wait_ready()

    async def scenario() -> None:
        client = await RpcClient().connect(web.url)
        refused = await ask(client, 1, "is_prime", number="9" * 21, proof=True)
        assert refused["code"] == "too_large"
        proven = await ask(client, 2, "is_prime", number="1" * 19, proof=True)
        assert (proven["verdict"], proven["proven"]) == ("prime", True)
        await client.close()

    asyncio.run(scenario())
    response = web.get(f"/primes/{'9' * 21}?proof=true")
    assert (response.status, response.json["error"]["code"]) == (413, "too_large")
    assert response.json["error"]["message"] == "Number too large: 21 digits came, at most 20 are taken"
