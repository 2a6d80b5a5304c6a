"""The formats in which the answers to an upload are told; `?format=` names one. No I/O."""

from typing import Any, Protocol

from services.jobs.chunks import Outcome
from services.web.upload import ndjson, primes, table
from services.web.upload.origins import Origins


class Format(Protocol):
    """What a list of answers is made of; it keeps nothing between two calls."""

    name: str  # as `?format=` has it
    kind: str  # Content-Type
    head: bytes  # what the list begins with; not where it goes on behind a line
    texts: bool  # whether it needs the texts of a plain list, which are kept only where they are asked for

    def render(self, outcome: Outcome, after: int, kept: Origins | None) -> bytes:
        """What it tells of the numbers of a chunk that come after this one. With `texts`, `kept` is not None."""
        ...

    def last(self, told: dict[str, Any]) -> bytes:
        """The list's last line, which tells that it is over, and how; empty where the format has no place for one."""
        ...


FORMATS: dict[str, Format] = {each.name: each for each in (ndjson.Ndjson(), table.Table(), primes.Primes())}
NDJSON = FORMATS["ndjson"]  # unless another is asked for
EXPECTED = f"format: expected one of {', '.join(FORMATS)}"
