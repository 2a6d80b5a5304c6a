"""Sessions of `primes.v1` through port 80: answers follow their client to whatever container it comes back to."""

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import gmpy2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.system.stack import Stack, wait_until

CLIENTS, REQUESTS = 100, 10
SLOW = gmpy2.next_prime(gmpy2.mpz(10) ** 700)  # 30 ms in the heavy lane


class Client:
    """Asks once, comes back as often as its socket ends, and counts every answer that it is shown."""

    def __init__(self, stack: Stack, numbers: list[int]) -> None:
        self._stack = stack
        self._asked = dict(enumerate(numbers, 1))  # number by request id
        self._socket: ClientConnection
        self._session: dict[str, Any] = {}
        self.answers: dict[int, list[str]] = {id: [] for id in self._asked}  # verdicts by request id
        self.asked = False
        self.instances: list[str] = []  # that held the session, one for each socket

    async def run(self) -> None:
        """Until every request has its answer."""
        self._loop = asyncio.get_running_loop()
        while not all(self.answers.values()):
            try:
                await self._connect()
                self.asked = True
                while not all(self.answers.values()):
                    self._read(json.loads(await asyncio.wait_for(self._socket.recv(), 120)))
            except (WebSocketException, OSError):
                await asyncio.sleep(random.uniform(0.1, 0.5))  # the jitter that every client owes the server

    def cut_off(self) -> None:
        """End the socket without a word, as a lost network does. From any thread."""
        self._loop.call_soon_threadsafe(self._socket.transport.abort)

    async def _connect(self) -> None:
        self._socket = await connect(self._stack.socket, subprotocols=["primes.v1"], compression=None, open_timeout=30)  # type: ignore[list-item]
        first = json.loads(await self._socket.recv())["params"]
        self.instances.append(first["instance"])
        if self._session:
            await self._call(0, "resume", {"session": self._session["session"], "offset": self._session["offset"]})
        else:
            self._session = first
        for id, number in self._asked.items():
            if not self.answers[id]:
                await self._call(id, "is_prime", {"number": str(gmpy2.mpz(number))})

    async def _call(self, id: int, method: str, params: dict[str, str]) -> None:
        await self._socket.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))

    def _read(self, message: dict[str, Any]) -> None:
        if message.get("error", {}).get("data", {}).get("retryable"):
            raise ConnectionResetError(message["error"]["message"])  # begin again over a new socket
        assert "error" not in message, message
        if "method" in message:
            return
        result = message["result"]
        if message["id"] == 0:
            assert result["recovered"] is True, result
            self._session = result
        else:
            self.answers[message["id"]].append(result["verdict"])
            self._session["offset"] = result["offset"]


def clients(stack: Stack, seed: int) -> list[Client]:
    chance = random.Random(seed)
    return [Client(stack, [*(chance.getrandbits(64) | 1 for _ in range(REQUESTS - 1)), int(SLOW)]) for _ in range(CLIENTS)]


def tally(clients: list[Client]) -> tuple[int, int, int]:
    """Lost, duplicated and wrong answers, printed too."""
    shown = [(c._asked[id], verdicts) for c in clients for id, verdicts in c.answers.items()]
    lost = sum(not verdicts for _, verdicts in shown)
    duplicated = sum(len(verdicts) > 1 for _, verdicts in shown)
    wrong = sum(gmpy2.is_prime(n) != (v in ("prime", "probably_prime")) for n, verdicts in shown for v in verdicts)
    moved = sum(len(set(c.instances)) > 1 for c in clients)
    print(Counter(c.instances[0] for c in clients))
    print(f"requests {len(shown)}, lost {lost}, duplicated {duplicated}, wrong {wrong}; {moved} of {len(clients)} clients moved")
    assert moved
    return lost, duplicated, wrong


def ask_and_break(stack: Stack, everyone: list[Client], breaking: Callable[[], None]) -> None:
    """Break something when everybody has asked everything and nothing is answered: until then the workers stand still."""
    workers = stack.containers("worker")

    def hold_and_break() -> None:
        wait_until(lambda: all(client.asked for client in everyone), "every client has asked")
        assert not any(any(client.answers.values()) for client in everyone)
        breaking()

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for client in everyone:
                group.create_task(client.run())
            try:
                await asyncio.to_thread(hold_and_break)
            finally:
                for worker in workers:
                    stack.kill(worker, signal.SIGCONT)

    for worker in workers:
        stack.kill(worker, signal.SIGSTOP)
    asyncio.run(scenario())


def test_clients_that_lose_their_sockets_get_every_answer_once_on_other_instances(stack: Stack) -> None:
    everyone = clients(stack, 30)

    def cut_off() -> None:
        for client in everyone:
            client.cut_off()

    ask_and_break(stack, everyone, cut_off)
    assert tally(everyone) == (0, 0, 0)


def test_clients_of_a_killed_web_container_get_every_answer_once_elsewhere(stack: Stack) -> None:
    everyone = clients(stack, 31)

    def kill() -> None:
        # One that holds clients, whatever nginx chose; by Docker, which then leaves it dead. One that is back within the second
        # gets its clients back: they need not move.
        stack.compose("kill", everyone[0].instances[-1])

    try:
        ask_and_break(stack, everyone, kill)
        assert tally(everyone) == (0, 0, 0)
    finally:
        stack.compose("up", "--detach", "--wait", "--no-recreate")
