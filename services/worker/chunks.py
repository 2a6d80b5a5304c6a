"""Examines a chunk of cheap numbers in one go."""

from services.jobs.chunks import Chunk, Outcome, Result, blank_codes
from services.jobs.messages import Verdict
from services.worker.primes import examine


def examine_all(chunk: Chunk) -> Outcome:
    """What `examine` finds of each line's number."""
    codes = blank_codes(chunk)
    known: dict[tuple[Verdict, str], int] = {}  # to code
    for index, line in enumerate(chunk.lines):
        if line:
            finding = examine(line)
            codes[index] = known.setdefault((finding.verdict, finding.method), len(known))
    return Outcome(chunk.first, codes, [Result(verdict, method) for verdict, method in known], chunk.refused)
