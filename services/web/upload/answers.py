"""The answers to an upload as NDJSON, in the order of its lines."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from services.jobs import evidence
from services.jobs.chunks import BLANK, REFUSED, Outcome, Result, unpack
from services.jobs.messages import SENTENCES
from services.web.upload.uploads import Unavailable, Uploads

FETCHED = 4  # chunks at a time: what a reader takes of this process' memory, some hundred KB
POLL = 0.5  # seconds between two looks at an upload whose news does not come here

LOST = "The upload is no longer there: it was deleted, it expired, or Redis lost its data. Send it again"
INTERRUPTED = "The upload was not read to its end: the web process died, or its client left. Send it again"

_encoder = msgspec.json.Encoder()


def render(outcome: Outcome, after: int) -> bytes:
    """A line of JSON for each line of the chunk that is not blank and comes after this one."""
    tails = {code: _encoder.encode(_describe(result))[1:] for code, result in enumerate(outcome.results)}
    refusals = {
        outcome.first + refusal.index: _encoder.encode(_error(refusal.code, refusal.message))[1:] for refusal in outcome.refused
    }
    skipped = max(0, after + 1 - outcome.first)
    lines = [
        b'{"line":%d,%b\n' % (line, refusals[line] if code == REFUSED else tails[code])
        for line, code in enumerate(outcome.codes[skipped:], outcome.first + skipped)
        if code != BLANK
    ]
    return b"".join(lines)


def _describe(result: Result) -> dict[str, Any]:
    if result.fault is not None:
        return _error(result.fault, SENTENCES[result.fault])
    told = {"verdict": result.verdict, "proven": result.verdict.proven, "method": result.method}
    return told | {"evidence": evidence.describe(result.evidence)} if result.evidence else told


def _error(code: str, message: str, retryable: bool = False) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "retryable": retryable}}


async def stream(uploads: Uploads, id: str, after: int, patience: float) -> AsyncGenerator[bytes, None]:
    """The answers after this line, some at a time, until `{"done": true, …}`, or until none came for `patience` seconds.

    When the list cannot be completed, its last line is an error without a line number. Raises Unavailable before the first
    answers only; later Redis is asked again until time is up.
    """
    number, told = await uploads.find(id, after + 1), False
    until = time.monotonic() + patience
    with uploads.watch(id) as news:
        while True:
            news.clear()
            try:
                standing = await uploads.look(id, number, FETCHED)
            except Unavailable:
                if not told:
                    raise
                if time.monotonic() >= until:
                    return
                await asyncio.sleep(min(POLL, patience))
                continue
            if standing is None:
                yield _encoder.encode(_error("lost", LOST, retryable=True)) + b"\n"
                return
            ready = standing.outcomes[: standing.outcomes.index(b"")] if b"" in standing.outcomes else standing.outcomes
            for outcome in ready:
                told = True
                if text := render(unpack(outcome), after):
                    yield text
            number += len(ready)
            if number == standing.chunks and standing.state == "read":
                yield _encoder.encode({"done": True, "lines": standing.lines, "answers": standing.answers}) + b"\n"
                return
            if number == standing.chunks and standing.state == "interrupted":
                yield _encoder.encode(_error("interrupted", INTERRUPTED, retryable=True)) + b"\n"
                return
            if ready:
                until = time.monotonic() + patience
            elif time.monotonic() >= until:
                return
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), min(POLL, max(0.0, until - time.monotonic())))
