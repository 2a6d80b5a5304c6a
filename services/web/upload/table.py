"""The answers to an upload as CSV (RFC 4180), of which no spreadsheet runs anything. No I/O."""

import re
from collections.abc import Sequence
from typing import Any

from services.jobs import evidence
from services.jobs.chunks import Outcome, Result
from services.jobs.messages import SENTENCES
from services.web.upload.origins import Origin, Origins

PLACE = ("line", "item", "text", "index", "variables")  # columns that say which number it is
FOUND = ("verdict", "proven", "method", "factor", "witness", "certificate", "error", "message")  # and what was found of it

END = "\r\n"

# What a spreadsheet takes for the beginning of a formula; the wide forms are taken so with a Japanese keyboard. The page's csv.js
# has the same.
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_INTEGER = re.compile("[+-]?[0-9]+")  # is none, whatever its sign


def cell(text: str) -> str:
    """A field in quotation marks, with an apostrophe before what a spreadsheet would run; nothing for an empty one."""
    if not text:
        return ""
    guard = "'" if _FORMULA.match(text) and not _INTEGER.fullmatch(text) else ""
    quoted = text.replace('"', '""')
    return f'"{guard}{quoted}"'


class Table:
    """A row for each number, and each error, below one with the titles. It has no place for an end."""

    name = "csv"
    kind = "text/csv; charset=utf-8; header=present"
    head = (",".join((*PLACE, *FOUND)) + END).encode()
    texts = True

    def render(self, outcome: Outcome, after: int, kept: Origins | None) -> bytes:
        """The rows of the chunk's numbers that come after this one."""
        assert kept is not None  # since it needs texts
        told = outcome.tell(after, _found, lambda refusal: _failed(refusal.code, refusal.message))
        rows = [_place(place, kept.each[place - outcome.first], counted=kept.counted) + tail for place, tail in told]
        return "".join(rows).encode(errors="replace")

    def last(self, told: dict[str, Any]) -> bytes:  # a row more would be taken for a number's
        """Nothing."""
        return b""


def _place(place: int, origin: Origin | None, *, counted: bool) -> str:
    if origin is None:
        return f"{place},,,,,"
    variables = " ".join(f"{name}={value}" for name, value in origin.variables)
    return f"{origin.line},{place if counted else ''},{cell(origin.text)},{cell(origin.index)},{cell(variables)},"


def _found(result: Result) -> str:
    if result.fault is not None:
        return _failed(result.fault, SENTENCES[result.fault])
    shown = evidence.describe(result.evidence) if result.evidence else {}
    proven = "true" if result.verdict.proven else "false"
    kinds = (shown.get(kind, "") for kind in ("factor", "witness", "certificate"))
    return _end((cell(result.verdict), proven, cell(result.method), *map(cell, kinds), "", ""))


def _failed(code: str, message: str) -> str:
    return _end(("", "", "", "", "", "", cell(code), cell(message)))


def _end(fields: Sequence[str]) -> str:
    return ",".join(fields) + END
