"""What every HTTP handler has in common: JSON for every answer and every failure."""

import http
import math
import re
from collections.abc import Awaitable
from typing import Any

from prometheus_client import Counter
from tornado.web import Finish, HTTPError, RequestHandler

from services.web.ask import client
from services.web.shares import REQUEST, Crowded, Share, Shares

REQUESTS = Counter("primes_web_http_requests_total", "HTTP requests answered", ["route", "status"])

RETRY_AFTER = 1  # seconds that a refused client is asked to wait

# Narrower than Python's own readers, which take "1_0", the digits of every script and, of an integer, no more than 4,300: numbers
# are those of JSON, as the contract has them.
_SECONDS = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,3})?")
_LENGTH = re.compile(r"[0-9]{1,20}")


class JSONHandler(RequestHandler):
    """Failures are `{"error": {code, message, retryable}}`, with Retry-After where trying again makes sense."""

    ROUTE = "other"  # label of the requests' metric
    _gone = False  # whether the client is

    def __init_subclass__(cls) -> None:
        """HEAD is taken wherever GET is: load balancers and health checks ask so."""
        super().__init_subclass__()
        if "GET" in cls.SUPPORTED_METHODS and "HEAD" not in cls.SUPPORTED_METHODS:
            cls.SUPPORTED_METHODS = ("HEAD", *cls.SUPPORTED_METHODS)

    def prepare(self) -> Awaitable[None] | None:
        """Be known as under way, so that the process does not end before the answer is out; wait for the client's turn."""
        self.settings["requests"].add(self)
        try:
            turn = self.share.begin(REQUEST)
        except Crowded as error:
            self.set_header("Retry-After", str(math.ceil(error.seconds)))
            self.fail(429, "busy", f"Busy: {error}", retryable=True)
            raise Finish from error
        return None if turn is None else self._begin(turn)

    async def _begin(self, turn: Awaitable[bool]) -> None:
        """Wait for it; nothing is begun for a client that has left by then."""
        await turn
        if self._gone:
            self.set_status(499, "client left")  # as nginx counts it; nobody reads it
            raise Finish

    def head(self, *arguments: str) -> Awaitable[None] | None:
        """What GET answers, whose body Tornado counts and leaves out; 405 where there is no GET."""
        return self.get(*arguments)

    @property
    def share(self) -> Share:
        """Of its client, in this process' time."""
        shares: Shares = self.settings["shares"]
        return shares.get(client.name(self.request.remote_ip or ""))

    @property
    def announced(self) -> int:
        """Bytes that the head says the body has; 0 where it says none. Tornado answers 400 to what is no length."""
        length = self.request.headers.get("Content-Length", "")
        return int(length) if _LENGTH.fullmatch(length) else 0

    @property
    def request_id(self) -> str:
        """What nginx calls the request in its log."""
        return self.request.headers.get("X-Request-ID", "")[:64]

    def interrupt(self) -> None:
        """The process ends: what still waits for an answer says that it will not come."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado calls for every exception: bad requests keep their sentence, faults of ours say nothing inside."""
        if status_code == 405:
            implemented = [name for name in ("GET", "POST", "DELETE") if name.lower() in vars(type(self))]
            self.set_header("Allow", ", ".join(["HEAD", *implemented] if "GET" in implemented else implemented))
        cause = kwargs.get("exc_info", (None, None, None))[1]
        sentence = (cause.log_message if isinstance(cause, HTTPError) else None) or http.HTTPStatus(status_code).phrase
        self.fail(status_code, http.HTTPStatus(status_code).name.lower(), sentence)

    def fail(self, status: int, code: str, message: str, retryable: bool = False, **known: Any) -> None:
        """End the request with this error; `known`: what is known all the same. A Retry-After that is set already stays."""
        self.set_status(status)
        if retryable and "Retry-After" not in self._headers:
            self.set_header("Retry-After", str(RETRY_AFTER))
        self.finish({"error": {"code": code, "message": message, "retryable": retryable, **known}})

    def read_timeout(self, most: float, *, zero: bool = False) -> float:
        """`?timeout=`: seconds to wait, `most` unless given; 0 only if `zero`. Raises HTTPError 400."""
        text = self.get_query_argument("timeout", str(most))
        seconds = float(text) if _SECONDS.fullmatch(text) else -1.0
        if not 0 <= seconds <= most or (seconds == 0 and not zero):
            expected = f"from 0 to {most:g}" if zero else f"above 0 and up to {most:g}"
            raise HTTPError(400, f"timeout: expected seconds {expected}, got {text[:40]!r}")
        return seconds

    def on_connection_close(self) -> None:
        """The client left, so that nobody waits for an answer. Tornado does not finish a request whose body ends early."""
        super().on_connection_close()
        self._gone = True
        self.settings["requests"].discard(self)

    def on_finish(self) -> None:
        """Count the request."""
        self.settings["requests"].discard(self)
        REQUESTS.labels(self.ROUTE, str(self.get_status())).inc()


class NotFound(JSONHandler):
    """Whatever has no route."""

    async def prepare(self) -> None:
        """Refuse every method alike."""
        if (turn := super().prepare()) is not None:
            await turn
        self.fail(404, "not_found", f"No resource at {self.request.path[:200]}")
        raise Finish
