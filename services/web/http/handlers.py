"""The HTTP handlers: JSON for every answer and every failure."""

import asyncio
import http
import time
from collections.abc import Awaitable
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import Counter
from tornado.web import Finish, HTTPError, RequestHandler

from services.jobs import evidence
from services.jobs.expression import NotAnExpression
from services.jobs.messages import SENTENCES, Answer, Asker, Fault, Wanted, describe_unknown
from services.web.ask import question
from services.web.queue.dispatcher import Dispatcher
from services.web.queue.ledger import Busy
from services.web.settings import WebSettings

REQUESTS = Counter("primes_web_http_requests_total", "HTTP requests answered", ["route", "status"])

GRACE = 1  # second by which a worker waits longer than the request: it is the request that tells its client
LINGER = 60  # seconds that a proof goes on after the time of its request is over, for whoever asks again
RETRY_AFTER = 1  # seconds that a refused client is asked to wait


class JSONHandler(RequestHandler):
    """Failures are `{"error": {code, message, retryable}}`, with Retry-After where trying again makes sense."""

    ROUTE = "other"  # label of the requests' metric

    def prepare(self) -> Awaitable[None] | None:
        """Be known as under way, so that the process does not end before the answer is out."""
        self.settings["requests"].add(self)
        return None

    @property
    def request_id(self) -> str:
        """What nginx calls the request in its log."""
        return self.request.headers.get("X-Request-ID", "")[:64]

    def interrupt(self) -> None:
        """The process ends: what still waits for an answer says that it will not come."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado calls for every exception: bad requests keep their sentence, faults of ours say nothing inside."""
        if status_code == 405:
            implemented = (name for name in self.SUPPORTED_METHODS if name.lower() in vars(type(self)))
            self.set_header("Allow", ", ".join(implemented))
        cause = kwargs.get("exc_info", (None, None, None))[1]
        sentence = (cause.log_message if isinstance(cause, HTTPError) else None) or http.HTTPStatus(status_code).phrase
        self.fail(status_code, http.HTTPStatus(status_code).name.lower(), sentence)

    def fail(self, status: int, code: str, message: str, retryable: bool = False, **known: str) -> None:
        """End the request with this error; `known`: what is known all the same."""
        self.set_status(status)
        if retryable:
            self.set_header("Retry-After", str(RETRY_AFTER))
        self.finish({"error": {"code": code, "message": message, "retryable": retryable, **known}})

    def read_timeout(self, most: float, *, zero: bool = False) -> float:
        """`?timeout=`: seconds to wait, `most` unless given; 0 only if `zero`. Raises HTTPError 400."""
        text = self.get_query_argument("timeout", str(most))
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= most or (seconds == 0 and not zero):
            expected = f"from 0 to {most:g}" if zero else f"above 0 and up to {most:g}"
            raise HTTPError(400, f"timeout: expected seconds {expected}, got {text[:40]!r}")
        return seconds

    def on_finish(self) -> None:
        """Count the request."""
        self.settings["requests"].discard(self)
        REQUESTS.labels(self.ROUTE, str(self.get_status())).inc()


class NotFound(JSONHandler):
    """Whatever has no route."""

    def prepare(self) -> None:
        """Refuse every method alike."""
        self.fail(404, "not_found", f"No resource at {self.request.path[:200]}")
        raise Finish


class Hello(JSONHandler):
    """`GET /` of a web process without nginx in front; behind nginx the page of the same heading stands there."""

    ROUTE = "/"

    def get(self) -> None:
        """Greet."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write("Hello, world\n")


class Description(JSONHandler):
    """`GET /openapi.yaml`, `GET /asyncapi.yaml`: what clients may say, for machines."""

    def initialize(self, name: str) -> None:
        """The document's file in docs/."""
        self.ROUTE = f"/{name}"
        self._text = _read_description(name)

    def get(self) -> None:
        """The document."""
        self.set_header("Content-Type", "application/yaml")
        self.write(self._text)


@cache
def _read_description(name: str) -> bytes:
    return (Path(__file__).parents[3] / "docs" / name).read_bytes()


class Primes(JSONHandler):
    """`GET /primes/N`: whether N is prime; waits for the answer."""

    ROUTE = "/primes/N"

    def initialize(self, dispatcher: Dispatcher, settings: WebSettings) -> None:
        """One future for the one answer."""
        self._dispatcher = dispatcher
        self._settings = settings
        self._known: dict[str, str] = {}  # before the answer
        # None: it will not come
        self._answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

    async def get(self, text: str) -> None:
        """Answer 200 with the verdict, 400 for what is not an integer, 413 for too many digits, 503 when busy or at the
        end of the process, 504 when the answer took longer than `?timeout=` seconds (at most the setting `long_poll`).
        """
        timeout = self.read_timeout(self._settings.long_poll)
        wanted = self._read_wanted()
        started = time.monotonic()
        try:
            most = self._settings.max_digits if wanted is Wanted.VERDICT else self._settings.max_proof_digits
            asked = question.read(text, most, wanted=wanted)
            answer = await self._ask(asked, timeout)
        except question.TOO_LARGE as error:
            return self.fail(413, "too_large", f"Number too large: {error}")
        except NotAnExpression as error:
            return self.fail(400, "not_an_integer", f"Expected an integer or an expression, got {text[:40]!r}: {error}")
        except Busy as error:
            return self.fail(503, "busy", f"Busy: {error}", retryable=True)
        except TimeoutError:
            sentence = f"No answer within {timeout:g} s; ask again"
            return self.fail(504, "timeout", sentence, retryable=True, **self._known)
        except asyncio.CancelledError:
            return self.set_status(499, "client left")  # as nginx counts it; nobody reads it
        self._tell(asked.number, answer, time.monotonic() - started)

    def _tell(self, canonical: str, answer: Answer | None, elapsed: float) -> None:
        if answer is None:
            return self.fail(503, "going_away", "The web process ends before its answer came; ask again", retryable=True)
        if answer.fault is not None:
            retryable = answer.fault is Fault.LOST
            status = 400 if answer.fault is Fault.NO_INTEGER else 500
            return self.fail(status, answer.fault, SENTENCES[answer.fault], retryable, **describe_unknown(answer))
        self.write(describe(canonical, answer, elapsed))

    def _read_wanted(self) -> Wanted:
        """`?proof=true`, `?certificate=true`. Raises HTTPError 400."""
        certificate, proof = self._read_flag("certificate"), self._read_flag("proof")  # both, so that a bad one is always told
        if certificate:
            return Wanted.CERTIFICATE
        return Wanted.PROOF if proof else Wanted.VERDICT

    def _read_flag(self, name: str) -> bool:
        text = self.get_query_argument(name, "false")
        if text not in ("true", "false"):
            raise HTTPError(400, f"{name}: expected true or false, got {text[:40]!r}")
        return text == "true"

    async def _ask(self, asked: question.Question, seconds: float) -> Answer | None:
        """The answer. A job for which nobody waits any more is cancelled; a proof goes on for a while, so that who asks again
        joins it. Raises TimeoutError, and Busy.
        """
        lasts = asked.wanted is not Wanted.VERDICT
        asker = Asker(request=self.request_id, expires=question.expiry(seconds + (LINGER if lasts else GRACE)))
        job = self._dispatcher.submit(asked, asker, self._settle, self._note)
        goes_on = False
        try:
            return await asyncio.wait_for(self._answer, seconds)
        except TimeoutError:
            goes_on = lasts
            raise
        finally:
            if not goes_on:
                self._dispatcher.forsake([job])

    def _note(self, answer: Answer) -> None:
        """What is known while a proof is made."""
        self._known = {"best": answer.verdict.value, "method": answer.method}

    def on_connection_close(self) -> None:
        """Stop waiting for a client that left."""
        self._answer.cancel()

    def interrupt(self) -> None:
        """Stop waiting."""
        self._settle(None)

    def _settle(self, answer: Answer | None) -> None:
        if not self._answer.done():  # timed out, or the client left
            self._answer.set_result(answer)


def describe(canonical: str, answer: Answer, elapsed: float) -> dict[str, Any]:
    """The JSON form of an answer; times in milliseconds."""
    shown = {"evidence": evidence.describe(answer.evidence)} if answer.evidence else {}
    return {
        "number": canonical,
        "verdict": answer.verdict,
        "proven": answer.proven,
        "method": answer.method,
        **shown,
        "queue_ms": answer.queue_ms,
        "compute_ms": answer.compute_us / 1000,
        "total_ms": round(elapsed * 1000, 3),
    }
