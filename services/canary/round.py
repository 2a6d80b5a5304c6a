"""One round of questions to one lane."""

import asyncio
import time

import msgspec
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketError, websocket_connect

from services.canary.questions import Judgement, KnownNumber, Progress, judge, read, request


class Round:
    """Questions over one new socket, since it is the way in that may be broken, for some clients and not for others."""

    def __init__(self, url: str, seconds: float, questions: tuple[KnownNumber, ...]) -> None:
        """`seconds`: from the opening of the socket until a missing answer counts as none."""
        self._url = url
        self._bound = seconds
        self._open = {question.id: question for question in questions}
        self._progress: dict[str, Progress] = {}  # the last word on those that take long
        self.outcomes = dict.fromkeys(questions, Judgement.NONE)
        self.troubles: list[str] = []  # what kept right answers from coming
        self.seconds = 0.0

    async def run(self) -> None:
        """Ask and wait, within the bound."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._bound):
                await self._ask()
        except TimeoutError:
            self._give_up()
        except (OSError, HTTPClientError, WebSocketError, msgspec.DecodeError) as error:
            self.troubles.append(str(error) or repr(error))
        self.seconds = time.monotonic() - started

    async def _ask(self) -> None:
        asking = HTTPRequest(self._url, connect_timeout=self._bound)
        socket = await websocket_connect(asking, subprotocols=["primes.v1"])
        try:
            for question in self.outcomes:
                await socket.write_message(request(question, self._bound))
            await self._listen(socket)
        finally:
            socket.close()

    async def _listen(self, socket: WebSocketClientConnection) -> None:
        while self._open:
            message = await socket.read_message()
            if message is None:
                self.troubles.append(f"the socket was closed: {socket.close_code} {socket.close_reason or ''}")
                return
            reply = read(message)
            self._progress |= {str(job.id): job for job in reply.params.jobs}
            if reply.late:
                raise TimeoutError
            known = self._open.pop(str(reply.id), None)
            if known is not None:
                self._take(known, message, judge(known, reply))

    def _take(self, question: KnownNumber, message: str | bytes, outcome: Judgement) -> None:
        self.outcomes[question] = outcome
        if outcome is not Judgement.RIGHT:
            self.troubles.append(f"asked for {question.number}, expected {question.id}, got {message[:500]!r}")

    def _give_up(self) -> None:
        """The time is over: say what is known of the questions that have no answer."""
        told = [self._progress[id] for id in self._open if id in self._progress]
        for job in told:
            self.outcomes[self._open[str(job.id)]] = Judgement.WAITS
        self.troubles.append("; ".join([f"not all answers came within {self._bound:g} s", *map(str, told)]))
