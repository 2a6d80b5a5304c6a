"""The dead letters of the operators' page: whoever reaches its port reads them, whoever knows the token retries and deletes."""

import asyncio
import http
import logging
import math
import secrets
import time
from typing import Any

import msgspec
from redis.exceptions import RedisError
from tornado.web import RequestHandler, url

from services.dead.letter import Summary, identify
from services.web.operators.access import DeadLetterAccess, NotConfigured

log = logging.getLogger("services.web")

LISTED = 20  # letters: a page that people read; the command lists all
PATIENCE = 3.0  # seconds for Redis: nginx gives a web process five

WANTS_TOKEN = "This changes something: expected the operators' token in the header Authorization: Bearer TOKEN"  # noqa: S105  # a sentence


class DeadLetterList(msgspec.Struct, frozen=True):
    """What the page shows."""

    count: int  # of all
    letters: list[Summary]  # the oldest


class Denied(Exception):
    """The request cannot be done; says with which status, which code, and why."""

    def __init__(self, status: int, code: str, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after  # seconds; 0: to ask again will not help


class DeadLetterHandler(RequestHandler):
    """Answers in JSON. No cookie says who asks, so no page of somebody else's can ask in an operator's name."""

    def initialize(self, access: DeadLetterAccess | NotConfigured) -> None:
        """`access` is the process' one."""
        self._given = access

    def prepare(self) -> None:
        """Nothing goes on without a way to Redis, and no change without the token."""
        if isinstance(self._given, NotConfigured):
            raise Denied(404, "not_configured", str(self._given))
        self._access = self._given
        if self.request.method in ("HEAD", "GET"):
            return
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Denied(401, "no_token", f"{WANTS_TOKEN}, got {'another scheme' if scheme else 'none'}")
        address, now = str(self.request.remote_ip), time.monotonic()
        if wait := self._access.guesses.wait(address, now):
            told = f"Too many wrong tokens came from {address}: the next one is looked at in {wait:.1f} s"
            raise Denied(429, "too_many_guesses", told, math.ceil(wait))
        if not self._access.knows(token.strip()):
            self._access.guesses.note_wrong(address, now)
            raise Denied(401, "wrong_token", f"{WANTS_TOKEN}, got another")

    def answer(self, body: bytes | dict[str, str], status: int = 200) -> None:
        """End the request."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(body)

    def log_exception(self, *exception: Any) -> None:
        """What is refused is no fault of ours."""
        if not isinstance(exception[1], (Denied, RedisError, TimeoutError)):
            super().log_exception(*exception)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Whatever went wrong, as the page expects it."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, TimeoutError):  # asyncio's: Redis' own is a RedisError
            error = Denied(503, "unavailable", f"Redis did not answer within {PATIENCE:g} s; the list shows whether it was done", 1)
        elif isinstance(error, RedisError):
            error = Denied(503, "unavailable", f"Redis: {error}", 1)
        elif not isinstance(error, Denied):
            error = Denied(status_code, f"http_{status_code}", http.HTTPStatus(status_code).phrase)
        if error.status == 401:
            self.set_header("WWW-Authenticate", 'Bearer realm="operators"')
        if error.status == 405:
            self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        if error.retry_after:
            self.set_header("Retry-After", str(error.retry_after))
        told = msgspec.json.encode({"error": {"code": error.code, "message": str(error), "retryable": error.retry_after > 0}})
        self.answer(told, error.status)


class ListDeadLetters(DeadLetterHandler):
    """`GET /dead-letters`."""

    SUPPORTED_METHODS = ("HEAD", "GET")

    async def head(self) -> None:
        """What GET answers, whose body Tornado counts and leaves out."""
        await self.get()

    async def get(self) -> None:
        """The oldest, and how many there are."""
        async with asyncio.timeout(PATIENCE):
            letters = [letter.summary() async for letter in self._access.shelf.letters(LISTED)]
            count = await self._access.shelf.count()
        self.answer(msgspec.json.encode(DeadLetterList(count, letters)))


class DeleteDeadLetter(DeadLetterHandler):
    """`DELETE /dead-letters/ID`."""

    SUPPORTED_METHODS = ("DELETE",)

    async def delete(self, text: str) -> None:
        """200 when it is gone for good."""
        id = known(text)
        async with asyncio.timeout(PATIENCE):
            if not await self._access.shelf.delete(id):
                raise gone(id)
        log.info("an operator deleted the dead letter %s", id)
        self.answer({"deleted": id})


class RetryDeadLetter(DeadLetterHandler):
    """`POST /dead-letters/ID/retry`."""

    SUPPORTED_METHODS = ("POST",)

    async def post(self, text: str) -> None:
        """202 when its jobs are back in a lane. Their answers go to a name under which nobody listens."""
        id = known(text)
        async with asyncio.timeout(PATIENCE):
            letter = await self._access.shelf.find(id)
            if letter is None:
                raise gone(id)
            if letter.obstacle:
                raise Denied(409, "cannot_be_retried", f"{id} {letter.obstacle}")
            if not await self._access.shelf.retry(letter, letter.again(1), f"operators-{secrets.token_hex(8)}"):
                raise gone(id)  # somebody else was faster
        log.info("an operator put the dead letter %s back into the lane %s", id, letter.retry_lane)
        self.answer({"retried": id, "lane": letter.retry_lane}, 202)


def known(text: str) -> str:
    """The id, as Redis tells it."""
    try:
        return identify(text)
    except ValueError as error:
        raise Denied(400, "no_id", str(error)) from None


def gone(id: str) -> Denied:
    """There is no letter of that id, or no more."""
    return Denied(404, "no_such_letter", f"{id}: no such dead letter, or no more")


def routes(access: DeadLetterAccess | NotConfigured) -> list[Any]:
    """For the operators' port."""
    given = {"access": access}
    return [
        url(r"/dead-letters", ListDeadLetters, given),
        url(r"/dead-letters/([^/]*)", DeleteDeadLetter, given),
        url(r"/dead-letters/([^/]*)/retry", RetryDeadLetter, given),
    ]
