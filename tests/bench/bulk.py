"""The upload of 50 MB: sent, read into a file, and checked when the time is taken."""

import http.client
import re
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from tests.bench.load import Failed

MOST = 50 * 1024 * 1024  # bytes that an upload may have
PIECE = 1 << 20  # bytes read at once
PATIENCE = 120  # seconds of silence

_ANSWER = re.compile(rb'{"line":(\d+),"verdict":"(prime|composite)"')


@dataclass(frozen=True, slots=True)
class Took:
    """All answers were right."""

    answers: int
    seconds: float


def post(address: str, port: int, questions: Path) -> Took:
    """Ask the numbers of this file again and again until 50 MB are full. Raises Failed."""
    asked = [line.split() for line in questions.read_bytes().splitlines()]
    return send(address, port, *fill(asked, MOST))


def send(address: str, port: int, body: bytes, verdicts: list[bytes]) -> Took:
    """Have these verdicts for a body. Raises Failed."""
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE)
    with tempfile.TemporaryFile() as answers:
        started = time.monotonic()
        try:
            connection.request("POST", "/jobs", body, {"Content-Type": "text/plain"})
            response = connection.getresponse()
            while piece := response.read1(PIECE):
                answers.write(piece)
        finally:
            connection.close()
        seconds = time.monotonic() - started
        answers.seek(0)
        if response.status != 200:
            raise Failed(f"POST /jobs: expected 200, got {response.status}: {answers.read(300)!r}")
        check(answers, verdicts)
    return Took(len(verdicts), seconds)


def fill(asked: list[list[bytes]], room: int) -> tuple[bytes, list[bytes]]:
    """As many lines as so many bytes hold, of these numbers again and again, and the verdicts that are to come."""
    lines, verdicts = [], []
    for number, prime in cycle(asked):
        room -= len(number) + 1
        if room < 0:
            break
        lines.append(number)
        verdicts.append(b"prime" if prime == b"1" else b"composite")
    return b"\n".join(lines) + b"\n", verdicts


def check(answers: Iterable[bytes], verdicts: list[bytes]) -> None:
    """Each line has its verdict, and the list its end. Raises Failed."""
    lines = iter(answers)
    for number, verdict in enumerate(verdicts, 1):
        line = next(lines, b"")
        told = _ANSWER.match(line)
        if not told or int(told[1]) != number or told[2] != verdict:
            raise Failed(f"POST /jobs: expected {verdict.decode()} for line {number:,}, got {line[:300]!r}")
    if b'"done":true' not in (line := next(lines, b"")):
        raise Failed(f"POST /jobs: expected the end of the list, got {line[:300]!r}")
