"""Clients that send uploads and read their answers, from any line on, over whatever web process; what is lost they send again."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from random import Random
from typing import Any

from services.web.instance import Instance
from services.web.settings import WebSettings
from services.web.shares import Shares
from services.web.upload.follow import follow
from services.web.upload.intake import Intake
from services.web.upload.listing import AnswerList
from services.web.upload.patience import Unavailable
from tests.chaos.history import right
from tests.simulation.numbers import draw_number
from tests.simulation.plan import Step
from tests.simulation.world import World

AGAIN = 0.2, 1.0  # seconds between two tries
PATIENCE = 2.0  # seconds that a list waits for its next line
SLOWNESS = 0.05  # seconds in which a block of a list is read
HEAVY_LINES = 6  # of an upload of many lines, more or less; a short one has fewer
PIECE = 200  # bytes of a body that come at once

ALONE = Shares(1.0).get("192.0.2.3")  # a client without a bound

Handler = Callable[[Instance, WebSettings], Coroutine[Any, Any, Any]]
Request = Callable[[Random, Handler], "asyncio.Future[Any]"]  # what a web process replies; None if it died


class UploadClient:
    """Sends each upload until all of its lines have a right answer, each once and in order."""

    def __init__(self, world: World, index: int, seed: int, request: Request) -> None:
        self.complaints: list[str] = []
        self.holding: set[int] = set()
        self._world = world
        self._name = f"u{index}"
        self._seed = seed
        self._chance = Random(f"client {seed} {index}")
        self._request = request
        self._missing: dict[int, int] = {}  # lines without an answer, by upload
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> list[str]:
        """Lines without an answer."""
        return [f"{self._name}-{upload}" for upload, count in self._missing.items() for _ in range(count)]

    def do(self, step: Step) -> None:
        """Begin an upload; other steps are those of other clients."""
        if step.kind == "upload":
            number = len(self._tasks)
            chance = Random(f"upload {self._seed} {step.at}")
            heavy = HEAVY_LINES / max(60, step.which)
            lines = [draw_number(chance, heavy) for _ in range(step.which)]
            self._missing[number] = len(lines)
            self._tasks.add(asyncio.get_running_loop().create_task(self._upload(number, lines, step.seconds)))

    async def run(self) -> None:
        """It acts when the plan says so."""

    async def _upload(self, number: int, lines: list[str], pause: float) -> None:
        key = f"{self._name}-{number}" if self._chance.random() < 0.5 else ""
        listing = number % 2 == 1  # the others ask for their list in another request
        while self._missing[number]:
            sent = await self._request(self._chance, lambda *web: _receive(*web, lines, key, pause, listing))
            if not sent:
                await self._rest()
                continue
            id, told = sent
            self._missing[number] = len(lines)
            going_on = self._take(number, told, lines, {"done", "lost"})
            while going_on:
                going_on = await self._read(number, id, lines)
                await self._rest()

    async def _rest(self) -> None:
        await asyncio.sleep(self._chance.uniform(*AGAIN))

    async def _read(self, number: int, id: str, lines: list[str]) -> bool:
        """Some more answers; False when the list is over."""
        after = len(lines) - self._missing[number]
        told = await self._request(self._chance, lambda instance, _: _list(instance, id, after))
        return self._take(number, told or b"", lines, {"done", "lost", "interrupted"})

    def _take(self, number: int, told: bytes, lines: list[str], ends: set[str]) -> bool:
        """Answers that come after those that it has; False when the list is over."""
        after = len(lines) - self._missing[number]
        for line in told.splitlines():
            answer = json.loads(line)
            if "line" not in answer:
                self._end(number, answer, lines, ends)
                return False
            after += 1
            self._compare(number, answer, after, lines)
            self._missing[number] = max(0, len(lines) - after)
        return True

    def _compare(self, number: int, answer: dict[str, Any], expected: int, lines: list[str]) -> None:
        """One answer with the line whose turn it is."""
        line = answer["line"]
        verdict = answer.get("verdict") or f"error {answer['error']['message']}"
        if line != expected or not right(lines[line - 1], verdict):
            self.complaints.append(f"{self._name}-{number}: line {line} where {expected} was due: {verdict}")

    def _end(self, number: int, answer: dict[str, Any], lines: list[str], ends: set[str]) -> None:
        """The last line of a list: all is told, or it must be sent again."""
        if (end := "done" if "done" in answer else answer["error"]["code"]) not in ends:
            self.complaints.append(f"{self._name}-{number}: {end} where {' or '.join(sorted(ends))} was due")
        if end != "done":
            self._missing[number] = len(lines)
        elif self._missing[number] or answer["answers"] != len(lines):
            self.complaints.append(f"{self._name}-{number}: done with {self._missing[number]} of {len(lines)} lines missing")


async def _receive(
    instance: Instance, settings: WebSettings, lines: list[str], key: str, pause: float, listing: bool
) -> tuple[str, bytes] | None:
    """As the handler of `POST /jobs` takes a body that comes in pieces: the upload's id, and its list if that is wanted."""
    intake = Intake(instance.uploads, settings.max_digits, ALONE)
    await intake.begin(key, compressed=False)
    async for piece in _pieces("\n".join(lines).encode(), pause):
        await intake.take(piece)
    if not (id := await intake.end()):
        return None
    return id, await _list(instance, id, 0, settings.long_poll, sealed=True) if listing else b""


async def _pieces(body: bytes, pause: float) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), PIECE):
        await asyncio.sleep(pause)
        yield body[start : start + PIECE]


async def _list(instance: Instance, id: str, after: int, patience: float = PATIENCE, *, sealed: bool = False) -> bytes:
    """As the handlers of uploads tell the answers after a line."""
    told = b""
    try:
        listing = AnswerList(after, await instance.uploads.find(id, after + 1))
        async for block in follow(instance.uploads, id, listing, patience, ALONE, sealed=sealed):
            told += block
            await asyncio.sleep(SLOWNESS)
    except Unavailable:
        pass
    return told
