"""The primes of an upload alone, as text that the programs of the field read. No I/O."""

from typing import Any

from services.jobs.chunks import Outcome
from services.jobs.messages import Verdict
from services.web.upload.origins import Origins

PRIMES = frozenset({Verdict.PRIME, Verdict.PROBABLY_PRIME})


class Primes:
    """A line for each prime, proven or probable: its text as it came; of a b-file its index and its text.

    There is no end mark: what begins a comment for PFGW (//), for PARI (\\\\) and in b-files (#) is an error to the others.
    """

    name = "primes"
    kind = "text/plain; charset=utf-8"
    head = b""
    texts = True

    def render(self, outcome: Outcome, after: int, kept: Origins | None) -> bytes:
        """The lines of the chunk's primes that come after this one."""
        assert kept is not None  # since it needs texts
        told = outcome.tell(after, lambda result: result.verdict in PRIMES and result.fault is None, lambda _: False)
        found = [kept.each[place - outcome.first] for place, prime in told if prime]
        lines = (f"{origin.index} {origin.text}\n" if origin.index else f"{origin.text}\n" for origin in found if origin)
        return "".join(lines).encode(errors="replace")

    def last(self, told: dict[str, Any]) -> bytes:  # there is no comment that all readers know
        """Nothing."""
        return b""
