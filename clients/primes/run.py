"""One run of the command: asks what is to be asked, prints what comes, and remembers how far it is."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TextIO

from . import evidence, lines
from .arguments import Request
from .bar import Bar, Standing
from .certificate import FetchedCertificate, Mismatch, Unavailable, fetch
from .checkpoint import Checkpoint, Unusable
from .client import Client, Notice, Told, Waiting
from .conversation import Answer, Fault, Progress
from .evidence import Judgement, Outcome
from .questions import Question, count, read
from .requests import PrimesError
from .thread import beside

MOST_OPEN = 1_000  # questions that are asked, or answered and not printed yet
TICK = 0.2  # s between two looks at the bar and the checkpoint: what a killed run may print twice
FETCHES = 4  # certificates that are fetched at once


class Run:
    """Questions go out and answers come in at the same time; at most MOST_OPEN are held."""

    def __init__(self, request: Request, checkpoint: Checkpoint, out: TextIO, err: TextIO) -> None:
        self.done = 0  # answers printed by this run
        self.total: int | None = None  # while they are counted, and where nobody knows
        self._request = request
        self._checkpoint = checkpoint
        self._out = out
        self._err = err
        self._bar = Bar(err)
        self._client = Client(
            request.url,
            window=request.window,
            saved=checkpoint.saved,
            give_up_after=request.give_up_after,
            tls=request.tls,
            notice=self._hear_notice,
        )
        self._room = asyncio.Semaphore(MOST_OPEN)
        self._fetches = asyncio.Semaphore(FETCHES)
        self._open: dict[str, Question] = {}  # by id, in the order in which they were asked
        self._since: dict[str, float] = {}  # by id: when it was asked
        self._states: dict[str, Progress] = {}  # by id: what the server told last
        self._held: dict[int, tuple[str, bool]] = {}  # by position: lines that wait for their turn, and whether they tell a failure
        self._turn = 1  # position of the next line to print in order
        self._waiting = ""  # what for, while there is no connection
        self._fault = False  # the connection is left for what the server said
        self._unkept = ""  # why the checkpoint could not be kept the last time
        self._began = time.monotonic()
        self._dirty = False  # something is not in the checkpoint

    async def go(self) -> None:
        """Until all is answered. Raises Unreachable, Unreadable, Unusable, and OSError where nothing can be printed."""
        async with aclosing(read(self._request.numbers, self._request.file)) as questions:
            restored = await self._restore(questions)
            # Before there is a connection: the answers that a former run missed are the first thing that comes.
            asked = [(question, *self._submit(question)) for question in restored]
            beside_it = [asyncio.create_task(self._tick()), asyncio.create_task(self._count())]
            try:
                async with self._client, asyncio.TaskGroup() as group:
                    for one in asked:
                        await self._room.acquire()
                        group.create_task(self._settle(*one))
                    async for question in questions:
                        await self._room.acquire()
                        self._checkpoint.ask(question)
                        group.create_task(self._settle(question, *self._submit(question)))
            finally:
                for task in beside_it:
                    task.cancel()
                await asyncio.gather(*beside_it, return_exceptions=True)
                self._bar.clear()
                self._checkpoint.save(self._client.saved)

    async def _restore(self, questions: AsyncIterator[Question]) -> list[Question]:
        """Those that former runs asked and that have no answer."""
        restored: list[Question] = []
        while self._checkpoint.asked and (question := await anext(questions, None)):
            self._checkpoint.ask(question)
            if not self._checkpoint.has(question.position):
                restored.append(question)
            if question.position == self._checkpoint.asked:
                return restored
        if self._checkpoint.asked:
            raise Unusable(f"{self._request.state}: expected the former run's {self._checkpoint.asked:,} numbers again, got fewer")
        return restored

    def _submit(self, question: Question) -> tuple[str, asyncio.Future[Answer]]:
        def tell(told: Told) -> None:
            if isinstance(told, Progress):
                self._states[told.id] = told

        id = f"{self._checkpoint.prefix}-{question.position}-{question.digest}"
        options = dict(self._request.options)
        self._open[id], self._since[id] = question, time.monotonic()
        try:
            if question.unreadable is not None:
                raise PrimesError("not_utf8", question.unreadable)
            return self._client.submit(question.number, self._request.operation, options, id=id, tell=tell)
        except PrimesError as error:  # nobody could read it
            refused: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return id, refused

    async def _settle(self, question: Question, id: str, coming: asyncio.Future[Answer]) -> None:
        """Wait for the answer, check it and have it printed."""
        try:
            answer = await coming
            self._forget(id)
            line, failed = await self._tell(question, answer)
        except PrimesError as error:
            self._forget(id)
            line, failed = (lines.encode_failure if self._request.json else lines.tell_failure)(question, error), True
        except asyncio.CancelledError:
            if self._request.state is None:  # nobody comes back for it
                self._client.cancel(id)
            raise
        self._print(question.position, line, failed)

    def _forget(self, id: str) -> None:
        del self._open[id], self._since[id]
        self._states.pop(id, None)

    async def _tell(self, question: Question, answer: Answer) -> tuple[str, bool]:
        """The line to print, and whether it tells a failure."""
        saved, failed, judgement = None, False, None
        if self._request.check or self._request.certificates:
            judgement, saved = await self._judge(question, answer)
            failed = judgement.outcome is Outcome.REFUTED
            failed |= self._request.certificates is not None and saved is None and "certificate" in answer.evidence
        write = lines.encode if self._request.json else lines.tell
        return write(question, self._request.operation, answer, judgement, saved), failed

    async def _judge(self, question: Question, answer: Answer) -> tuple[Judgement, Path | None]:
        """What the evidence shows, and the file that its certificate is in."""
        if "certificate" not in answer.evidence or answer.verdict != "prime":
            return evidence.judge(question.number, self._request.operation, answer), None
        async with self._fetches:
            try:
                certificate = await beside(fetch, self._request.url, answer.evidence["certificate"], self._request.tls)
                judgement = await beside(evidence.judge, question.number, self._request.operation, answer, certificate.text)
            except Mismatch as error:
                return evidence.refuted(str(error)), None
            except Unavailable as error:
                return evidence.agreed(f"its certificate is not to be had: {error}"), None
        return judgement, None if judgement.outcome is Outcome.REFUTED else self._save(certificate)

    def _save(self, certificate: FetchedCertificate) -> Path | None:
        """The file that it is in, if it was wanted and could be written."""
        if (directory := self._request.certificates) is None:
            return None
        try:
            return certificate.save(directory)
        except OSError as error:
            self._complain(f"{directory}: {error.strerror}")
            return None

    def _print(self, position: int, line: str, failed: bool) -> None:
        if not self._request.in_order:
            return self._write(position, line, failed)
        self._held[position] = line, failed
        while self._turn in self._held or self._checkpoint.has(self._turn):
            if self._turn in self._held:
                self._write(self._turn, *self._held.pop(self._turn))
            self._turn += 1

    def _write(self, position: int, line: str, failed: bool) -> None:
        self._bar.clear()
        self._out.write(line + "\n")
        self._out.flush()
        # Printed, then noted: dying in between repeats an answer instead of losing it.
        self._checkpoint.note(position, failed=failed)
        self._dirty = True
        self.done += 1
        self._room.release()

    def _hear_notice(self, notice: Notice) -> None:
        self._waiting = ""
        self._dirty = True  # the session may be another
        if isinstance(notice, Waiting):
            self._waiting = f"no connection: {notice.reason}"
            if not notice.joined or self._fault:
                again = f"attempt {notice.attempt} failed, the next in {notice.seconds:.1f} s"
                self._complain(f"{self._request.url}: {notice.reason}; {again}")
        self._fault = isinstance(notice, Fault)

    def _complain(self, sentence: str) -> None:
        self._bar.clear()
        self._err.write(f"primes: {lines.printable(sentence)}\n")
        self._err.flush()

    async def _count(self) -> None:
        if self._bar.shown:  # in a thread: of a million lines it takes seconds
            self.total = await beside(count, self._request.numbers, self._request.file)

    async def _tick(self) -> None:
        """Draw the bar and keep the checkpoint, again and again."""
        while True:
            await asyncio.sleep(TICK)
            if self._dirty:
                self._keep()
            rate = self.done / (time.monotonic() - self._began)
            self._bar.draw(Standing(self._checkpoint.done, self.total, rate, self._waiting or self._tell_longest()))

    def _keep(self) -> None:
        """Save the checkpoint; what is in the way may pass."""
        try:
            self._checkpoint.save(self._client.saved)
            self._dirty, self._unkept = False, ""
        except Unusable as error:
            if str(error) != self._unkept:
                self._complain(str(error))
            self._unkept = str(error)

    def _tell_longest(self) -> str:
        """The running question that was asked first, or, if none is known to run, the one that was asked first."""
        id = next((id for id, told in self._states.items() if told.state == "running"), next(iter(self._open), None))
        if id is None:
            return ""
        state = self._states.get(id)
        seconds = time.monotonic() - self._since[id]
        return f"{lines.shorten(self._open[id].number)}: {seconds:.0f} s{f', {state.state}' if state else ''}"
