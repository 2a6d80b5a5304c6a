"""What is still in Redis though all that was asked is answered."""

from collections.abc import Callable
from typing import Any

from services.jobs import names
from services.jobs.names import GROUP, Lane, Mark

Run = Callable[..., Any]  # has Redis execute a command, given its words; the reply is as RESP2 has it

_LASTING = {
    f"{names.KEYS}:term",
    *(names.stream(lane) for lane in Lane),
    names.DEAD,
    names.KNOWN,
    names.UPLOADS,
}


def entries(run: Run) -> list[str]:
    """Entries of the lanes, claimed or not."""
    left: list[str] = []
    for lane in Lane:
        stream = names.stream(lane)
        if run("EXISTS", stream):
            if length := run("XLEN", stream):
                left.append(f"entries left: {length} in {lane}")
            pending = run("XPENDING", stream, GROUP)
            if isinstance(pending, list) and pending[0]:
                left.append(f"entries pending: {pending[0]} in {lane}")
    return left


def stray_keys(run: Run) -> list[str]:
    """Keys that never go, and marks of requests that have no job."""
    left: list[str] = []
    for key in run("KEYS", "*"):
        name = key.decode()
        if name in _LASTING:
            continue
        if run("TTL", key) == -1:
            left.append(f"a key without an end: {name}")
        if name.startswith(names.session("")) and run("TYPE", key) == b"hash":
            fields = run("HGETALL", key)
            marks = [f for f, v in zip(fields[::2], fields[1::2], strict=True) if f[:1] == b"?" and isinstance(Mark.read(v), Mark)]
            left += [f"a mark without a job: {mark.decode()}" for mark in marks]
    return left
