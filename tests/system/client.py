"""Clients of the plain protocol that check every answer, built on a library that is not ours."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PRIME, NOT_PRIME = "is a prime number", "is not a prime number"


@dataclass
class Tally:
    """What became of the questions of many clients."""

    asked: int = 0
    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    cut_off: int = 0  # clients whose connection ended before their last answer

    @property
    def lost(self) -> int:
        """Questions without an answer."""
        return self.asked - self.answered

    def __str__(self) -> str:
        return f"asked {self.asked}, answered {self.answered}, lost {self.lost}, wrong {len(self.wrong)}, cut off {self.cut_off}"


async def ask(
    url: str,
    questions: Sequence[tuple[str, str]],
    tally: Tally,
    *,
    together: asyncio.Barrier | None = None,
    after_send: Callable[[], None] | None = None,
) -> None:
    """Send every question at once and compare the answers, in order, with what is expected; one too many is wrong too."""
    async with connect(url, compression=None, ping_interval=None, open_timeout=30) as socket:
        tally.asked += len(questions)
        if together:  # nobody sends before everybody is connected
            await together.wait()

        async def send() -> None:
            for question, _ in questions:
                await socket.send(question)
            if after_send:
                after_send()

        sending = asyncio.create_task(send())
        try:
            for question, expected in questions:
                answer = await asyncio.wait_for(socket.recv(), 240)
                tally.answered += 1
                if answer != expected:
                    tally.wrong.append(f"{question[:50]}: {answer!r}, expected {expected!r}")
            await sending
            await socket.send("not a number")  # its answer comes last: nothing came twice
            if (last := await asyncio.wait_for(socket.recv(), 60)) != "Invalid input":
                tally.wrong.append(f"{last!r} came after the last answer")
        except ConnectionClosed:
            tally.cut_off += 1
            sending.cancel()


def ask_all(url: str, clients: Iterable[Sequence[tuple[str, str]]]) -> Tally:
    """Every client's questions over a socket of its own, all at the same time."""
    tally = Tally()

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for questions in clients:
                group.create_task(ask(url, questions, tally))

    asyncio.run(scenario())
    return tally


def expect(number: int, prime: bool) -> tuple[str, str]:
    """A question with its answer."""
    return str(number), PRIME if prime else NOT_PRIME
