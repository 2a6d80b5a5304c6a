"""Clients of `primes.v1` that follow the protocol's one rule, cancel and move, and write down what they do and see."""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos.history import Asked, Closed, Event, Forgotten, Opened, Refused, Shown, position
from tests.simulation.plan import Step
from tests.simulation.sockets import END, ClientSocket
from tests.simulation.world import World

JITTER = 0.05, 0.5  # seconds between two tries to open a socket

Connect = Callable[[Random], ClientSocket | None]


@dataclass
class Request:
    """What the client knows of one of its questions."""

    id: str
    number: str
    deadline: float
    proof: bool
    cancelling: float = math.inf  # when a cancel was sent first
    cancelled: bool | None = None  # what it was told of that
    answers: list[str] = field(default_factory=list)


class Client:
    """One client over as many sockets as its life takes."""

    def __init__(self, world: World, index: int, seed: int, connect: Connect) -> None:
        self.history: list[Event] = []
        self.requests: list[Request] = []
        self.complaints: list[str] = []  # what no server may do
        self.session, self.offset = "", "0"
        self._world = world
        self._name = f"c{index}"
        self._chance = Random(f"client {seed} {index}")
        self._connect = connect
        self._open: dict[str, Request] = {}
        self._socket: ClientSocket | None = None  # once its session is told or resumed
        self._connection: ClientSocket | None = None
        self._sockets = 0
        self._away = 0.0
        self._others: dict[ClientSocket, None] = {}  # that were given the session
        self._visits: set[asyncio.Task[None]] = set()
        self._seen: dict[str, tuple[int, str, float]] = {}  # by request: over which socket its answer came first, its offset, when
        self._asked_over: dict[str, set[int]] = {}  # by request: sockets over which it was asked
        self.resumed: dict[int, str] = {}  # by socket: the offset from which the session was asked for
        self._resuming: dict[int, float] = {}  # and when
        self.holding: set[int] = set()  # sockets to which the session's answers may come

    @property
    def waiting(self) -> list[Request]:
        """Requests without an answer."""
        return list(self._open.values())

    def do(self, step: Step) -> None:
        """Take one step of the plan."""
        match step.kind:
            case "ask":
                self.ask(step.number, step.deadline, proof=step.proof)
            case "batch":
                self._ask_together(step.number.split(","))
            case "crowd" if self.session:
                for _ in range(step.which):
                    self._visits.add(asyncio.get_running_loop().create_task(self._visit(beside=True)))
            case "cancel" if step.which < len(self.requests):
                self._cancel(self.requests[step.which])
            case "drop" if self._connection is not None:
                self._away = step.seconds
                self._connection.abort()

    def _ask_together(self, numbers: list[str]) -> None:
        """One message of several questions."""
        socket, self._socket = self._socket, None
        requests = [self.ask(number) for number in numbers]
        self._socket = socket
        if socket is not None:
            for each in requests:
                self._asked_over[each.id] = {socket.number}
            calls = [_call(each.id, "is_prime", {"number": each.number}) for each in requests]
            socket.send(json.dumps(calls))

    def ask(self, number: str, deadline: float = 0.0, *, proof: bool = False) -> Request:
        """One more question."""
        request = Request(f"{self._name}-{len(self.requests)}", number, deadline, proof)
        self.requests.append(request)
        self._open[request.id] = request
        self.history.append(Asked(self._world.now, request.id, number))
        if self._socket is not None:
            self._send(self._socket, request)
        return request

    def _send(self, socket: ClientSocket, request: Request) -> None:
        self._asked_over.setdefault(request.id, set()).add(socket.number)
        params: dict[str, Any] = {"number": request.number}
        if request.deadline:
            params["deadline"] = request.deadline
        if request.proof:
            params["proof"] = params["certificate"] = True
        self._call(socket, request.id, "is_prime", params)

    def _ask_again(self, socket: ClientSocket) -> None:
        for request in self.waiting:
            self._send(socket, request)

    def _ask_over(self, socket: ClientSocket) -> None:
        """What was asked over others alone."""
        for request in self.waiting:
            if socket.number not in self._asked_over.get(request.id, ()):
                self._send(socket, request)

    def _cancel(self, request: Request) -> None:
        if request.id in self._open and self._socket is not None:
            request.cancelling = min(request.cancelling, self._world.now)
            self._call(self._socket, f"cancel {request.id}", "cancel", {"request": request.id})

    def _call(self, socket: ClientSocket, id: str, method: str, params: dict[str, Any]) -> None:
        socket.send(json.dumps(_call(id, method, params)))

    async def run(self) -> None:
        """Connect, listen, come back."""
        while True:
            await self._visit()
            away, self._away = self._away, 0.0
            await asyncio.sleep(away + self._chance.uniform(*JITTER))

    async def _visit(self, *, beside: bool = False) -> None:
        """One socket from its opening to its end; `beside`: it comes beside another one, for the same session or not at all."""
        socket = self._connect(self._chance)
        if socket is None:
            return
        self._connection = socket
        socket.number = number = self._sockets
        self._sockets += 1
        try:
            await self._use(socket, number, beside=beside)
        except ConnectionResetError:
            socket.abort()
        self.holding.discard(number)
        self._others.pop(socket, None)
        if self._socket is socket:  # go on over another that was given the session, if it came over several
            self._socket = next(reversed(self._others), None)
            if self._socket is not None:
                self._ask_over(self._socket)
        self.history.append(Closed(self._world.now, number, socket.code))

    async def _use(self, socket: ClientSocket, number: int, *, beside: bool) -> None:
        if not await self._begin(socket, number, beside=beside):
            return
        while (message := await socket.inbox.get()) is not END:
            heard = json.loads(message)
            for each in heard if isinstance(heard, list) else [heard]:
                self._hear(socket, number, each)

    async def _begin(self, socket: ClientSocket, number: int, *, beside: bool) -> bool:
        """Learn the session, or resume the former one, and ask again what is open; False if the socket ends before."""
        if (first := await socket.inbox.get()) is END:
            return False
        told = json.loads(first)["params"]
        if self.session:
            self.resumed[number], self._resuming[number] = self.offset, self._world.now
            self._call(socket, "resume", "resume", {"session": self.session, "offset": self.offset})
            while True:
                if (message := await socket.inbox.get()) is END:
                    return False
                answer = json.loads(message)
                if answer.get("id") == "resume":
                    break
            if "error" in answer:
                raise ConnectionResetError(answer["error"]["message"])
            told = answer["result"]
        if told["session"] != self.session:
            if beside and self.session:
                raise ConnectionResetError("the session is gone")
            for other in self._others:  # they have the former session, which the client gives up
                other.abort()
            self._others.clear()
        self._others[socket] = None
        self.session, self.offset = told["session"], told["offset"]
        self.history.append(Opened(self._world.now, number, told["instance"], told["session"], told.get("recovered")))
        self._socket = socket
        self.holding.add(number)
        self._ask_again(socket)
        return True

    def _hear(self, socket: ClientSocket, number: int, message: dict[str, Any]) -> None:
        now, id = self._world.now, message.get("id")
        if message.get("method") == "session":
            if message["params"].get("recovered") is False:
                self.history.append(Forgotten(now, number))
                self.offset = message["params"]["offset"]
                self._ask_again(socket)
            elif message["params"]["session"] == self.session:
                self._advance(message["params"]["offset"])
        elif "method" in message:
            if message["method"] == "verdict" and self._has_answer(message["params"]["id"], number):
                self.complaints.append(f"a verdict after the answer to {message['params']['id']}")
        elif isinstance(id, str) and id.startswith("cancel "):
            self._hear_of_cancel(id.removeprefix("cancel "), message)
        elif message.get("error", {}).get("data", {}).get("retryable"):
            self.history.append(Refused(now, id, message["error"]["data"]["code"], number))
            seconds = message["error"]["data"]["retry_after"] * self._chance.uniform(1.0, 1.5)
            asyncio.get_running_loop().call_later(seconds, self._retry, socket, id)
        else:
            self._take(now, number, message)

    def _has_answer(self, id: str, number: int) -> bool:
        """Whether a request was answered over this socket; over another one its answer may overtake what precedes it here."""
        return id not in self._open and self._seen.get(id, (number, "", 0.0))[0] == number

    def _advance(self, offset: str) -> None:
        """Go on to this offset, not back within its epoch: the members of a batch come together, behind later answers."""
        (epoch, number), (former, last) = position(offset), position(self.offset)
        if epoch != former or number > last:
            self.offset = offset

    def _retry(self, socket: ClientSocket, id: str) -> None:
        if socket is self._socket and id in self._open:
            self._send(socket, self._open[id])

    def _hear_of_cancel(self, id: str, message: dict[str, Any]) -> None:
        request = next(each for each in self.requests if each.id == id)
        if "result" in message:
            request.cancelled = message["result"]["cancelled"]

    def _take(self, now: float, number: int, message: dict[str, Any]) -> None:
        """A result, or an error that is final."""
        answer = message.get("result") or message["error"]["data"]
        offset = answer.get("offset", "0")
        socket, first, seen = self._seen.setdefault(message["id"], (number, offset, now))
        crossed = number in self._asked_over.get(message["id"], ()) or self._resuming.get(number, math.inf) < seen
        if socket != number and (offset == first or crossed):
            # On its way over one socket while the client came back over another, from an offset before it, and perhaps asked again
            # there. It is read all the same: of the socket that has the session the offset counts, whoever waits.
            if number in self.holding:
                self._advance(answer.get("offset", self.offset))
            return
        self._advance(answer.get("offset", self.offset))
        verdict = answer["verdict"] if "result" in message else f"error {answer['code']}"
        self.history.append(Shown(now, message["id"], verdict, answer.get("offset", self.offset), number))
        request = self._open.pop(message["id"], None) or next((r for r in self.requests if r.id == message["id"]), None)
        if request is not None:
            request.answers.append(verdict)


def _call(id: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
