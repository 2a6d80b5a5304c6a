"""Sessions of `primes.v1` through port 80: answers follow their client to whatever container it comes back to."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable

import gmpy2

from tests.integration.v1_clients import RpcClient, Tally
from tests.integration.waiting import wait_until
from tests.system.stack import Stack

CLIENTS, REQUESTS = 100, 10
SLOW = gmpy2.next_prime(gmpy2.mpz(10) ** 700).digits()  # 30 ms in the heavy lane


async def live(client: RpcClient, url: str, seed: int) -> None:
    """Ask once, and come back as often as the socket ends."""
    chance = random.Random(seed)
    await client.connect(url)
    await client.ask(*(str(chance.getrandbits(64) | 1) for _ in range(REQUESTS - 1)), SLOW)
    while client.unanswered:
        await client.until(lambda: client.cut_off or not client.unanswered, "an end")
        if client.cut_off:
            await client.keep_connecting(lambda: url)


def check(clients: list[RpcClient]) -> None:
    """Nothing lost, duplicated, wrong or out of order, and somebody moved to another instance."""
    tally = sum((client.tally() for client in clients), Tally())
    visited = [[notice["instance"] for notice in client.notices] for client in clients]
    moved = sum(len(set(instances)) > 1 for instances in visited)
    print(Counter(instances[0] for instances in visited))
    print(f"{tally}; {moved} of {len(clients)} clients moved")
    assert tally.clean and not tally.unrecovered and not any(client.errors for client in clients)
    assert tally.asked == CLIENTS * REQUESTS
    assert moved


def ask_and_break(stack: Stack, everyone: list[RpcClient], breaking: Callable[[], None]) -> None:
    """Break something when everybody has asked everything and nothing is answered: until then the workers stand still."""
    workers = stack.containers("worker")

    def hold_and_break() -> None:
        wait_until(lambda: all(len(client.numbers) == REQUESTS for client in everyone), "every client has asked")
        assert not any(client.answers for client in everyone)
        breaking()

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for seed, client in enumerate(everyone):
                group.create_task(live(client, stack.socket, seed))
            try:
                await asyncio.to_thread(hold_and_break)
            finally:
                for worker in workers:
                    stack.kill(worker, signal.SIGCONT)

    for worker in workers:
        stack.kill(worker, signal.SIGSTOP)
    asyncio.run(scenario())


def test_clients_that_lose_their_sockets_get_every_answer_once_on_other_instances(stack: Stack) -> None:
    everyone = [RpcClient(f"c{i}-") for i in range(CLIENTS)]

    def cut_off() -> None:
        for client in everyone:
            client.cut()

    ask_and_break(stack, everyone, cut_off)
    check(everyone)


def test_clients_of_a_killed_web_container_get_every_answer_once_elsewhere(stack: Stack) -> None:
    everyone = [RpcClient(f"c{i}-") for i in range(CLIENTS)]

    def kill() -> None:
        # One that holds clients, whatever nginx chose; by Docker, which then leaves it dead. One that is back within the second
        # gets its clients back: they need not move.
        stack.compose("kill", everyone[0].notices[-1]["instance"])

    try:
        ask_and_break(stack, everyone, kill)
        check(everyone)
    finally:
        stack.compose("up", "--detach", "--wait", "--no-recreate")
