"""A client of `primes.v1` that keeps its requests, resumes, asks again what it has no answer for, and checks every answer."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import gmpy2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

PATIENCE = 60  # seconds until an answer counts as lost


@dataclass
class Tally:
    """What became of the requests of many clients."""

    asked: int = 0
    answered: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    disordered: int = 0  # offsets that went back
    unrecovered: int = 0  # resumes that said so

    @property
    def clean(self) -> bool:
        return self.asked > 0 and not (self.lost or self.duplicated or self.wrong or self.disordered)

    def __add__(self, other: Self) -> "Tally":
        return Tally(*(mine + its for mine, its in zip(vars(self).values(), vars(other).values(), strict=True)))

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in vars(self).items())


def position(offset: str) -> tuple[int, int]:
    """An offset in the order of its session."""
    epoch, _, number = offset.rpartition("-")
    return int(epoch or 0), int(number)


@dataclass
class RpcClient:
    """One client, over as many sockets as its life takes."""

    name: str = ""
    token: str = ""
    offset: str = "0"
    numbers: dict[Any, str] = field(default_factory=dict)  # every request ever made, by id
    answers: dict[Any, list[dict[str, Any]]] = field(default_factory=dict)  # every response, by id
    notices: list[dict[str, Any]] = field(default_factory=list)  # `session` notifications
    resumed: list[dict[str, Any]] = field(default_factory=list)  # results of `resume`
    farewells: list[float] = field(default_factory=list)  # `reconnect_after` of every `going_away`
    errors: list[dict[str, Any]] = field(default_factory=list)
    arrays: list[list[dict[str, Any]]] = field(default_factory=list)
    progress: list[list[dict[str, Any]]] = field(default_factory=list)  # the jobs of each `progress` notification
    verdicts: list[dict[str, Any]] = field(default_factory=list)  # the params of each `verdict` notification
    cancelled: dict[Any, bool] = field(default_factory=dict)  # results of `cancel`, by the id of the request cancelled
    disordered: int = 0
    close_code: int | None = None
    socket: ClientConnection | None = None
    _reader: "asyncio.Task[None] | None" = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _cancelling: list[Any] = field(default_factory=list)  # what the answers to come are to

    @property
    def cut_off(self) -> bool:
        return self._reader is not None and self._reader.done()

    @property
    def unanswered(self) -> list[Any]:
        return [id for id in self.numbers if id not in self.answers]

    async def connect(self, url: str) -> Self:
        """Open a socket; with a session from before, resume it and ask again what has no answer."""
        if self._reader is not None:
            await self._reader
        socket = await connect(url, subprotocols=["primes.v1"], compression=None, ping_interval=None, open_timeout=30)  # type: ignore[list-item]
        self.socket, self.close_code = socket, None
        notices, resumed = len(self.notices), len(self.resumed)
        self._reader = asyncio.create_task(self._read(socket))
        await self.until(lambda: len(self.notices) > notices or self.cut_off, "the session is told")
        if self.cut_off:
            raise ConnectionError("cut off before the session was told")
        if self.token:
            await self.send({"id": "resume", "method": "resume", "params": {"session": self.token, "offset": self.offset}})
            await self.until(lambda: len(self.resumed) > resumed or self.cut_off, "the session is resumed")
            if self.cut_off:
                raise ConnectionError("cut off while the session was resumed")
            await self.ask_again()
        else:
            self.token = self.notices[-1]["session"]
        return self

    async def send(self, *requests: dict[str, Any]) -> None:
        """One request, or a batch."""
        assert self.socket
        complete = [{"jsonrpc": "2.0", **request} for request in requests]
        with contextlib.suppress(ConnectionClosed):  # it is asked again over the next socket
            await self.socket.send(json.dumps(complete if len(complete) > 1 else complete[0]))

    async def ask(self, *numbers: str) -> list[str]:
        """One request a number; returns their ids."""
        ids = [f"{self.name}{len(self.numbers) + i}" for i in range(len(numbers))]
        self.numbers.update(zip(ids, numbers, strict=True))
        for id, number in zip(ids, numbers, strict=True):
            await self.send(self.request(id, number))
        return ids

    async def cancel(self, id: Any, *asking: dict[str, Any]) -> bool:
        """Whether the server says that it was in time. `asking`: its request, if that goes out only now, in one batch."""
        self._cancelling.append(id)
        self.cancelled.pop(id, None)
        await self.send(*asking, {"id": "cancel", "method": "cancel", "params": {"request": id}})
        await self.until(lambda: id in self.cancelled, "the cancellation is answered")
        return self.cancelled[id]

    async def ask_again(self) -> None:
        for id in self.unanswered:
            await self.send(self.request(id, self.numbers[id]))

    @staticmethod
    def request(id: Any, number: str) -> dict[str, Any]:
        return {"id": id, "method": "is_prime", "params": {"number": number}}

    async def drop(self) -> None:
        """End the socket as a lost network does: no close frame."""
        assert self.socket and self._reader
        self.socket.transport.abort()
        await self._reader

    def cut(self) -> None:
        """The same from any thread, which does not wait for it."""
        assert self.socket and self._reader
        self._reader.get_loop().call_soon_threadsafe(self.socket.transport.abort)

    async def close(self) -> None:
        if self.socket and self._reader:
            await self.socket.close()
            await self._reader

    async def until(self, condition: Callable[[], Any], description: str, seconds: float = PATIENCE) -> None:
        """Wait for something to come."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {description}; {self.tally()}") from None

    async def answered(self) -> None:
        """Wait until every request has its answer."""
        await self.until(lambda: not self.unanswered, f"every answer came, {self.unanswered[:3]} did not")

    def tally(self) -> Tally:
        counts = Counter({id: len(answers) for id, answers in self.answers.items()})
        wrong = sum(not right(self.numbers[id], answer) for id, answers in self.answers.items() for answer in answers)
        return Tally(
            asked=len(self.numbers),
            answered=len(self.answers),
            lost=len(self.unanswered),
            duplicated=sum(count - 1 for count in counts.values()),
            wrong=wrong,
            disordered=self.disordered,
            unrecovered=sum(not result["recovered"] for result in self.resumed),
        )

    async def keep_connecting(self, url: Callable[[], str]) -> Self:
        """Try until a server takes it."""
        while True:
            try:
                return await self.connect(url())
            except (OSError, InvalidHandshake, ConnectionClosed):
                await asyncio.sleep(0.05)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                self._hear(json.loads(message))
                self._news.set()
        except ConnectionClosed:
            pass
        self.close_code = socket.close_code
        asyncio.get_running_loop().call_soon(self._news.set)  # when this task is done

    def _hear(self, message: Any) -> None:
        if isinstance(message, list):
            self.arrays.append(message)
        for response in message if isinstance(message, list) else [message]:
            if response.get("method") == "session":
                self.notices.append(response["params"])
                if response["params"].get("recovered") is False:
                    self.offset = response["params"]["offset"]
                    asyncio.get_running_loop().create_task(self.ask_again())  # ends with the test
            elif response.get("method") == "progress":
                self.progress.append(response["params"]["jobs"])
            elif response.get("method") == "verdict":
                self.verdicts.append(response["params"])
            elif response.get("method") == "going_away":
                self.farewells.append(response["params"]["reconnect_after"])
            elif response["id"] == "cancel" and "result" in response:
                self.cancelled[self._cancelling.pop(0)] = response["result"]["cancelled"]
            elif response["id"] == "resume" and "result" in response:
                self.resumed.append(response["result"])
                self.token, self.offset = response["result"]["session"], response["result"]["offset"]
            elif response["id"] not in self.numbers or "error" in response:
                self.errors.append(response)
            else:
                self.answers.setdefault(response["id"], []).append(response["result"])
                offset = response["result"]["offset"]
                # the same again only where a request was sent again and its answer comes from the history
                self.disordered += position(offset) < position(self.offset)
                self.offset = offset


def right(number: str, answer: dict[str, Any]) -> bool:
    """Whether GMP says the same."""
    n = gmpy2.mpz(number)
    return answer["verdict"] in ({"prime", "probably_prime"} if n > 1 and gmpy2.is_prime(n) else {"composite", "neither"})


def numbers(count: int, seed: int, heavy: int = 0) -> list[str]:
    """Numbers of up to 30 digits, and so many of 180 to 260, which travel alone, shuffled."""
    draw = random.Random(seed)
    chosen = [str(draw.randrange(10 ** draw.randint(1, 30))) for _ in range(count - heavy)]
    chosen += [str(draw.randrange(10 ** draw.randint(180, 260)) | 1) for _ in range(heavy)]
    draw.shuffle(chosen)
    return chosen


async def in_thread(do: Callable[[], Any]) -> Any:
    """Something that blocks, while the clients go on."""
    return await asyncio.to_thread(do)
