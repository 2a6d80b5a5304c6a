"""`GET /primes/N`: whether N is prime; `…/next` and `…/previous`: which prime is next to it; `…/factors`: what divides it."""

import asyncio
import math
import time
from typing import Any

from tornado.web import HTTPError

from services.jobs import evidence
from services.jobs.expression import Indivisible, NotAnExpression
from services.jobs.messages import (
    SENTENCES,
    Answer,
    Asker,
    Fault,
    Operation,
    Wanted,
    describe_best,
    describe_factors,
    describe_unknown,
    describe_value,
    want,
)
from services.web.ask import client, question
from services.web.ask.client import Client
from services.web.http.handler import JSONHandler
from services.web.queue.dispatcher import Dispatcher
from services.web.queue.ledger import ON_ITS_WAY, LedgerFull, OverBudget
from services.web.settings import WebSettings
from services.web.shares import REQUEST

ABOUT_ITSELF = (Operation.IS_PRIME, Operation.FACTOR)  # what these find is said of the number that was asked

LINGER = 60  # seconds that a proof goes on after the time of its request is over, for whoever asks again


class Primes(JSONHandler):
    """A request that waits for its answer."""

    ROUTE = "/primes/N"
    OPERATION = Operation.IS_PRIME
    GRACE = 1.0  # seconds by which a worker waits longer than the request: it is the request that tells its client
    AWAITED = 0.0  # seconds after its time for which the request awaits what a worker has found by then

    def initialize(self, dispatcher: Dispatcher, settings: WebSettings) -> None:
        """One future for the one answer."""
        self._dispatcher = dispatcher
        self._settings = settings
        self._client = Client(client.name(self.request.remote_ip or ""))
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
            most = self._settings.max_digits if wanted is Wanted.VERDICT else self._settings.most_digits_to_prove
            asked = self._read(text, most, wanted)
            answer = await self._ask(asked, timeout)
        except question.TOO_LARGE as error:
            return self.fail(413, "too_large", f"Number too large: {error}")
        except Indivisible as error:
            return self.fail(400, "no_integer", f"Expected an expression whose value is an integer, got {text[:40]!r}: {error}")
        except NotAnExpression as error:
            return self.fail(400, "not_an_integer", f"{question.EXPECTED}, got {text[:40]!r}: {error}")
        except LedgerFull as error:
            self._tell_budget()
            self.set_header("Retry-After", str(math.ceil(error.seconds)))
            return self.fail(429 if isinstance(error, OverBudget) else 503, "busy", f"Busy: {error}", retryable=True)
        except TimeoutError:
            return self._tell_timeout(timeout, self._known)
        except asyncio.CancelledError:
            if self._gone:
                return self.set_status(499, "client left")  # as nginx counts it; nobody reads it
            answer = None  # the process fails, and with it all that it does
        self._tell_budget()
        if answer is not None and answer.fault is Fault.DEADLINE and self.AWAITED:
            self._tell_timeout(timeout, describe_unknown(answer))
        else:
            self._tell(asked.number, answer, time.monotonic() - started)

    def _read(self, text: str, most_digits: int, wanted: Wanted) -> question.Question:
        """What is asked. Raises as `question.read`."""
        since = time.thread_time()
        try:
            return question.read(text, most_digits, self.OPERATION, wanted)
        finally:
            self.share.spend(since, REQUEST)

    def _tell_timeout(self, seconds: float, known: dict[str, Any]) -> None:
        self.fail(504, "timeout", f"No answer within {seconds:g} s; ask again", retryable=True, **known)

    def _tell_budget(self) -> None:
        """What the client has left of its budget (ms), as the draft "RateLimit header fields for HTTP" (version 10) has it: the
        quota and the window (s) in which an empty one fills; what is left, and in how many seconds it is full again.
        """
        budget, left = self._dispatcher.budget(self._client)
        if math.isfinite(budget.burst):
            window, full = budget.burst / budget.rate, (budget.burst - left) / budget.rate
            self.set_header("RateLimit-Policy", f'"work";q={budget.burst / 1000:.0f};w={math.ceil(window)}')
            self.set_header("RateLimit", f'"work";r={left // 1000:.0f};t={math.ceil(full)}')

    def _tell(self, canonical: str, answer: Answer | None, elapsed: float) -> None:
        if answer is None:
            return self.fail(503, "going_away", "The web process ends before its answer came; ask again", retryable=True)
        if answer.fault is not None:
            retryable = answer.fault is Fault.LOST
            status = 400 if answer.fault is Fault.NO_INTEGER else 500
            return self.fail(status, answer.fault, SENTENCES[answer.fault], retryable, **describe_unknown(answer))
        self.write(describe(canonical if self.OPERATION in ABOUT_ITSELF else answer.number, answer, elapsed))

    def _read_wanted(self) -> Wanted:
        """`?proof=true`, `?certificate=true`. Raises HTTPError 400."""
        return want(self.OPERATION, proof=self._read_flag("proof"), certificate=self._read_flag("certificate"))

    def _read_flag(self, name: str) -> bool:
        text = self.get_query_argument(name, "false")
        if text not in ("true", "false"):
            raise HTTPError(400, f"{name}: expected true or false, got {text[:40]!r}")
        return text == "true"

    async def _ask(self, asked: question.Question, seconds: float) -> Answer | None:
        """The answer. A job for which nobody waits any more is cancelled; a proof goes on for a while, so that who asks again
        joins it. Raises TimeoutError, and LedgerFull.
        """
        lasts = asked.wanted is not Wanted.VERDICT
        expires = question.expiry(seconds + (LINGER if lasts else self.GRACE))
        asker = Asker(request=self.request_id, expires=expires, trace=self.request.headers.get("Traceparent", ""))
        job = self._dispatcher.submit(asked, asker, self._settle, self._note, client=self._client)
        goes_on = False
        try:
            return await asyncio.wait_for(self._answer, seconds + self.AWAITED)
        except TimeoutError:
            goes_on = lasts
            raise
        finally:
            if not goes_on:
                self._dispatcher.forsake([job])

    def _note(self, answer: Answer) -> None:
        """What is known while a proof is made."""
        self._known = describe_best(answer.verdict, answer)

    def on_connection_close(self) -> None:
        """Stop waiting for a client that left."""
        super().on_connection_close()
        self._answer.cancel()

    def interrupt(self) -> None:
        """Stop waiting."""
        self._settle(None)

    def _settle(self, answer: Answer | None) -> None:
        if not self._answer.done():  # timed out, or the client left
            self._answer.set_result(answer)


class NextPrime(Primes):
    """The least prime above N."""

    ROUTE = "/primes/N/next"
    OPERATION = Operation.NEXT_PRIME


class PreviousPrime(Primes):
    """The greatest prime below N."""

    ROUTE = "/primes/N/previous"
    OPERATION = Operation.PREVIOUS_PRIME


class FactorsOf(Primes):
    """What divides N."""

    ROUTE = "/primes/N/factors"
    OPERATION = Operation.FACTOR
    GRACE = 0.0  # the worker tells in time what it has found by then, which takes its way
    AWAITED = ON_ITS_WAY / 1000

    def _read_wanted(self) -> Wanted:
        """Nothing is proven of factors. Raises HTTPError 400 where that is asked for."""
        for name in ("proof", "certificate"):
            if given := self.get_query_arguments(name):
                raise HTTPError(400, f"{name}: expected none where factors are asked for, got {given[0][:40]!r}")
        return Wanted.VERDICT


def describe(number: str, answer: Answer, elapsed: float) -> dict[str, Any]:
    """The JSON form of an answer about a number, "" where none was found; times in milliseconds."""
    shown = {"evidence": evidence.describe(answer.evidence)} if answer.evidence else {}
    return {
        **({"number": number} if number else {}),
        "verdict": answer.verdict,
        "proven": answer.proven,
        "method": answer.method,
        **shown,
        **describe_value(answer),
        **describe_factors(answer),
        "queue_ms": answer.queue_ms,
        "compute_ms": answer.compute_us / 1000,
        "total_ms": round(elapsed * 1000, 3),
    }
