"""Sessions as Redis keeps them, for the tests of the scripts that read and write them."""

from typing import Any

from services.jobs import messages, names
from services.jobs.messages import Answer, Verdict
from tests.scripts.conftest import Node

TOKEN = "t" * 22
SESSION, HISTORY = names.session(TOKEN), names.history(TOKEN)
EPOCH = 1_700_000_000_000
TTL = 900


def answer(job: int) -> Answer:
    return Answer(job, Verdict.PRIME)


def kept(request: str, job: int) -> bytes:
    """An entry of a history."""
    return messages._encoder.encode((request, answer(job)))


def put(node: Node, *, owner: str = "web0", answers: int = 0, token: str = TOKEN, **requests: str | int) -> None:
    """A session with so many answers, to requests 1, 2, …, and with these marks or numbers of other requests."""
    fields: dict[Any, Any] = {"epoch": EPOCH, "last": answers, "moves": 0, "ttl": TTL}
    fields |= {"owner": owner} if owner else {}
    fields |= {f"?{n}": n for n in range(1, answers + 1)}
    fields |= {f"?{request}": value for request, value in requests.items()}
    node.admin.hset(names.session(token), mapping=fields)
    node.admin.expire(names.session(token), TTL)
    if answers:
        node.admin.rpush(names.history(token), *(kept(str(n), n) for n in range(1, answers + 1)))
        node.admin.expire(names.history(token), TTL)


def field(node: Node, name: str, token: str = TOKEN) -> str | None:
    """One field of a session's hash."""
    value = node.admin.hget(names.session(token), name)
    return None if value is None else value.decode()


def history(node: Node, token: str = TOKEN) -> list[tuple[str, int]]:
    """Request and job of each answer that is kept."""
    entries = node.admin.lrange(names.history(token), 0, -1)
    return [(request, answer.id) for request, answer in map(messages.decode_kept, entries)]
