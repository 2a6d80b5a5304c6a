"""Through port 80: a first verdict, a proof, and a certificate that is checked without a word of the server."""

import asyncio
import hashlib
import json
from typing import Any

import gmpy2
from websockets.asyncio.client import connect

import certificates
from tests.system.stack import Stack

PRIME = gmpy2.next_prime(gmpy2.mpz(10) ** 149)  # of 150 digits
PATIENCE = 60  # seconds


async def prove(url: str, number: str) -> list[dict[str, Any]]:
    """All that the server says from the request to its response, but its progress."""
    said: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE), connect(url, subprotocols=["primes.v1"]) as socket:  # type: ignore[list-item]
        params = {"number": number, "proof": True}
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "is_prime", "params": params}))
        while not (said and said[-1].get("id") == 1):
            message = json.loads(await socket.recv())
            if message.get("method") not in ("session", "progress"):
                said.append(message)
    return said


def check(stack: Stack, sha256: str) -> None:
    status, _, text = stack.get(f"/certificates/{sha256}")
    assert (status, hashlib.sha256(text).hexdigest()) == (200, sha256)
    read = certificates.read(text)
    assert read.n == PRIME
    certificates.verify(read)


def test_a_proof_comes_after_a_first_verdict_and_can_be_checked(stack: Stack) -> None:
    verdict, response = asyncio.run(prove(stack.socket, str(PRIME)))
    assert verdict["params"] | {"queue_ms": 0, "compute_ms": 0, "method": ""} == {
        "id": 1, "verdict": "probably_prime", "proven": False, "queue_ms": 0, "compute_ms": 0, "method": "",
    }  # fmt: skip
    result = response["result"]
    assert (result["verdict"], result["proven"]) == ("prime", True)
    check(stack, result["evidence"]["certificate"])


def test_a_kept_proof_comes_over_http_from_any_instance(stack: Stack) -> None:
    for _ in range(8):  # twice as often as there are instances
        status, _, body = stack.get(f"/primes/{PRIME}?proof=true")
        answer = json.loads(body)
        assert (status, answer["verdict"], answer["proven"]) == (200, "prime", True)
        check(stack, answer["evidence"]["certificate"])
