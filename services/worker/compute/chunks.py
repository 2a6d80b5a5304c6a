"""Examines a chunk of cheap numbers, while others get their turn."""

import asyncio

from services.jobs.chunks import Chunk, Outcome, Result, blank_codes
from services.worker.compute.primes import Finding, examine

LINES = 64  # examined in one go: a fraction of a millisecond


async def examine_all(chunk: Chunk) -> Outcome:
    """What `examine` finds of each line's number."""
    codes = blank_codes(chunk)
    known: dict[Finding, int] = {}  # to code
    for index, line in enumerate(chunk.lines):
        if index and index % LINES == 0:
            await asyncio.sleep(0)
        if line:
            codes[index] = known.setdefault(examine(line), len(known))
    return Outcome(chunk.first, codes, [Result(f.verdict, f.method, None, f.evidence) for f in known], chunk.refused)
