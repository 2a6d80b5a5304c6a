"""Clients of the plain protocol: one reply to each message, in order, as long as the socket lives; then they ask again."""

import asyncio
from collections import deque
from random import Random

from services.web.plain.protocol import BUSY
from tests.chaos.history import is_prime
from tests.simulation.client import JITTER, Connect
from tests.simulation.plan import Step
from tests.simulation.sockets import END, ClientSocket
from tests.simulation.world import World

AGAIN = 1.0  # seconds until a number is asked again that was refused as busy
SENTENCES = {True: "is a prime number", False: "is not a prime number"}


class PlainClient:
    """Asks numbers, and compares each reply with the number whose turn it is."""

    def __init__(self, world: World, index: int, seed: int, connect: Connect) -> None:
        self.complaints: list[str] = []
        self.holding: set[int] = set()
        self._world = world
        self._name = f"p{index}"
        self._chance = Random(f"client {seed} {index}")
        self._connect = connect
        self._socket: ClientSocket | None = None
        self._unsent: deque[str] = deque()  # to be asked over the next socket
        self._asked: deque[str] = deque()  # over this socket, without a reply
        self._refused = 0  # numbers that wait until they are asked again
        self._away = 0.0

    @property
    def waiting(self) -> list[str]:
        """Numbers without a reply."""
        return [*self._asked, *self._unsent, *["refused"] * self._refused]

    def do(self, step: Step) -> None:
        """Take one step of the plan; what this protocol has no word for is left out."""
        match step.kind:
            case "ask" | "batch":
                for number in step.number.split(","):
                    self._ask(number)
            case "drop" if self._socket is not None:
                self._away = step.seconds
                self._socket.abort()

    def _ask(self, number: str) -> None:
        if self._socket is None:
            self._unsent.append(number)
        else:
            self._asked.append(number)
            self._socket.send(number)

    async def run(self) -> None:
        """Connect, ask, listen, come back."""
        while True:
            socket = self._connect(self._chance)
            if socket is not None:
                self._socket = socket
                unsent, self._unsent = self._unsent, deque()
                for number in unsent:
                    self._ask(number)
                while (reply := await socket.inbox.get()) is not END:
                    self._hear(reply.decode())
                self._socket = None
                self._unsent.extendleft(reversed(self._asked))
                self._asked.clear()
            away, self._away = self._away, 0.0
            await asyncio.sleep(away + self._chance.uniform(*JITTER))

    def _hear(self, reply: str) -> None:
        if not self._asked:
            self.complaints.append(f"{self._name}: a reply to nothing: {reply}")
            return
        number = self._asked.popleft()
        if reply == BUSY.decode():
            self._refused += 1
            asyncio.get_running_loop().call_later(AGAIN, self._ask_again, number)
        elif reply != SENTENCES[is_prime(number)]:
            self.complaints.append(f"{self._name}: {number} {reply}")

    def _ask_again(self, number: str) -> None:
        self._refused -= 1
        self._ask(number)
