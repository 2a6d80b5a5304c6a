"""What the processes export stays as large as it is, whatever is asked, and reads as Prometheus wants it."""

import asyncio
import random

from websockets.asyncio.client import connect

from tests.integration.conftest import Front
from tests.integration.plain_clients import question
from tests.integration.stack import Service, get

NUMBERS = 10_000


def series(service: Service) -> set[str]:
    """Names and labels of all samples."""
    lines = get(service.metrics_port, "/metrics").body.decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_10_000_distinct_numbers_add_no_series(manned: Front) -> None:
    chance = random.Random(6)
    numbers = chance.sample(range(-100, 10**12), NUMBERS)

    async def ask(asked: list[int]) -> None:
        pairs = [question(number) for number in asked]
        async with connect(manned.web0.url, compression=None, max_queue=None) as socket:
            for text, _ in pairs:
                await socket.send(text)
            for text, reply in pairs:
                assert await socket.recv() == reply, text

    asyncio.run(ask(numbers[:10]))
    assert manned.web0.get(f"/primes/{numbers[0]}").status == 200
    before = series(manned.web0) | series(manned.worker0)
    asyncio.run(ask(numbers))
    for number in numbers[:100]:
        assert manned.web0.get(f"/primes/{number}").status == 200
    assert (series(manned.web0) | series(manned.worker0)) == before
