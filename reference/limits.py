"""The page of limits: what may wait, computed from the settings and from the constants of the code."""

from collections.abc import Iterator
from pathlib import Path

from services.jobs.names import CHAINS_LENGTH, HISTORY, HISTORY_BYTES
from services.web.queue.ledger import ACCOUNTS, HEAVY_ENTRIES, PLACE, QUICK_WORK
from services.web.settings import WebSettings
from services.web.shares import BURST, MOST, MOST_WAITING
from services.web.socket import MAX_MESSAGE
from services.web.sockets.deflate import FREE, RATIO
from services.web.upload.begins import SECONDS
from services.web.upload.writer import WINDOW
from services.web.v1.outbox import MOST_QUEUED
from services.worker.parts.handout import MOST as PARTS_OUT
from services.worker.settings import WorkerSettings

ROOT = Path(__file__).parents[1]

HEAD = """# Limits

`make reference` writes this page from the code; a test fails when it is not current.
What may wait, and what is said when there is no more room; the figures are those of the defaults ([settings](settings.md)).
[abuse.md](abuse.md) tells what clients notice of one that fills them."""


def page() -> str:
    """The whole page."""
    tables = (_table("A web process", web()), _table("Redis", redis()), _table("nginx", nginx()))
    return "\n\n".join([HEAD, *tables]) + "\n"


def web() -> Iterator[tuple[str, str, str, str]]:
    """What, formula, figure, and what is said at the bound."""
    has = WebSettings.model_construct()
    mib = 1 << 20
    yield (
        f"jobs without an answer, one place each and one more for each {PLACE:,} characters of its number",
        "`MAX_PENDING`", f"{has.max_pending:,}", "`Busy`, HTTP 503",
    )  # fmt: skip
    yield "the same of one client, when nobody else has any", "`MAX_PENDING` / 2", f"{has.max_pending // 2:,}", "`Busy`, HTTP 503"
    yield "estimated work of one client, s", "`CLIENT_BURST`", f"{has.client_burst:,.0f}", "`Busy` with the seconds, HTTP 429"
    yield (
        "clients whose budgets are remembered though they have nothing pending",
        "fixed",
        f"{ACCOUNTS:,}",
        "the fullest are forgotten",
    )
    yield (
        "µs that a client may take of the process before its share counts",
        "fixed",
        f"{BURST:,}",
        "it waits while others are served",
    )
    yield (
        "requests and handshakes of one client that wait for that",
        "fixed",
        f"{MOST_WAITING}",
        "HTTP 429 `busy`",
    )
    yield "clients without a socket whose shares are remembered", "fixed", f"{MOST:,}", "idle ones are forgotten"
    yield (
        "messages of a plain socket without a written reply",
        "`MAX_IN_FLIGHT`",
        f"{has.max_in_flight:,}",
        "its socket is not read",
    )
    yield "bytes of a message", "fixed", f"{MAX_MESSAGE:,}", "close 1009"
    yield "bytes of a message that came compressed (`DEFLATE`), inflated", "fixed", f"{MAX_MESSAGE:,}", "close 1009"
    yield f"the same for each byte that came, above {FREE:,}", "fixed", f"{RATIO:,}", "close 1009"
    yield "requests of a session without an answer", "`SESSION_IN_FLIGHT`", f"{has.session_in_flight:,}", "`busy`"
    yield "bytes that a client of `primes.v1` did not read", "fixed", f"{MOST_QUEUED:,}", "close 4002"
    yield "uploads under way", "`MAX_UPLOADS`", f"{has.max_uploads:,}", "HTTP 503 `busy`"
    yield (
        "the same of one client, when nobody else has any",
        "`MAX_UPLOADS` / 2, rounded up",
        f"{-(-has.max_uploads // 2):,}",
        "HTTP 503 `busy`",
    )
    yield (
        "uploads that one client begins at once, and then a second",
        f"{SECONDS:g} times `UPLOAD_BEGINS`",
        f"{SECONDS * has.upload_begins:,.0f} and {has.upload_begins:g}",
        "HTTP 429 `busy`",
    )
    yield "seconds that an upload sends nothing", "`UPLOAD_SILENCE`", f"{has.upload_silence:g}", "HTTP 408"
    yield "bytes a second of an upload, at least", "`UPLOAD_RATE`", f"{has.upload_rate:,}", "HTTP 408"
    yield "weight of an upload's chunks without an outcome (4 for a costly one)", "fixed", f"{WINDOW}", "its body is not read"
    yield "estimated quick work in Redis, µs", "fixed", f"{QUICK_WORK:,}", "jobs wait in the process, by turns"
    yield "costly entries of one client in Redis", "fixed", f"{HEAVY_ENTRIES:,}", "jobs wait in the process, by turns"
    yield "bytes of the process, in compose", "`mem_limit`", f"{256 * mib:,}", "the container is restarted"


def redis() -> Iterator[tuple[str, str, str, str]]:
    """Likewise."""
    has, works = WebSettings.model_construct(), WorkerSettings.model_construct()
    yield "entries of a lane", "`MAX_QUEUED_ENTRIES`", f"{has.max_queued_entries:,}", "jobs wait in the web processes"
    yield "MiB of uploads, read or under way", "`UPLOAD_MEMORY`", f"{has.upload_memory:,}", "HTTP 503 `busy`"
    yield (
        "the same of one client, when nobody else has any",
        "`UPLOAD_MEMORY` / 2",
        f"{has.upload_memory // 2:,}",
        "HTTP 503 `busy`",
    )
    yield "MiB of certificates", "`CERTIFICATE_MEMORY`", f"{works.certificate_memory:,}", "the oldest go"
    yield "parts of one proof that are given out", "fixed", f"{PARTS_OUT:,}", "the next one leaves when one comes back"
    yield "proofs in parts whose progress is kept, of 1 MiB at most", "fixed", f"{CHAINS_LENGTH:,}", "the oldest begin anew"
    yield "answers of a session", "fixed", f"{HISTORY:,}", "the oldest go"
    yield "bytes of these that are told at once", "fixed", f"{HISTORY_BYTES:,}", "the rest is told after the next resume"
    yield "seconds of a session after its socket", "`SESSION_TTL`", f"{has.session_ttl:,}", "its client is told"
    yield "seconds of a costly answer", "`CACHE_TTL`", f"{works.cache_ttl:,}", "it is computed again"
    yield (
        "bytes of everything",
        "`maxmemory` (redis/redis.conf)",
        _directive("redis/redis.conf", "maxmemory"),
        "writes wait in the web processes",
    )


def nginx() -> Iterator[tuple[str, str, str, str]]:
    """Likewise."""
    connections = int(_directive("nginx/nginx.conf", "worker_connections"))
    workers = int(_directive("nginx/nginx.conf", "worker_processes"))
    yield (
        "connections, of which a client takes two",
        "`worker_processes` times `worker_connections`",
        f"{workers * connections:,}",
        "new ones are dropped",
    )
    yield "open WebSockets of one address", "`SOCKETS_PER_ADDRESS`", "1,024", "HTTP 429"
    yield (
        "new WebSockets of one address at once, and then a second",
        "40 times `HANDSHAKES_PER_ADDRESS`",
        "2,000 and 50",
        "HTTP 429",
    )
    yield (
        "buffers of a request's head",
        "`large_client_header_buffers`",
        _directive("nginx/conf/limits.conf", "large_client_header_buffers"),
        "HTTP 414, 431",
    )
    yield (
        "bytes of an upload's body",
        "`client_max_body_size`",
        _directive("nginx/conf/limits.conf", "client_max_body_size"),
        "HTTP 413",
    )
    zone = _words("nginx/conf/limits.conf", "limit_req_zone")
    yield (
        f"refused bodies of one address that wait for their answers, {zone['rate'].removesuffix('r/s')} a second",
        "`limit_req`",
        _words("nginx/conf/error_answer.conf", "limit_req")["burst"],
        "closed without an answer",
    )
    yield (
        "silence of an upload's body",
        "`client_body_timeout`",
        _directive("nginx/conf/limits.conf", "client_body_timeout"),
        "HTTP 408",
    )


def _directive(file: str, name: str) -> str:
    """The value of a directive in a configuration file of nginx or Redis."""
    lines = (line.split(maxsplit=1) for line in (ROOT / file).read_text().splitlines() if line.strip())
    return next(words[1].partition(";")[0].strip() for words in lines if words[0] == name)


def _words(file: str, name: str) -> dict[str, str]:
    """The words `name=value` of a directive's value."""
    return dict(word.split("=") for word in _directive(file, name).split() if "=" in word)


def _table(name: str, rows: Iterator[tuple[str, str, str, str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"## {name}", "", "| What waits | Bound | Default | At the bound |", "| --- | --- | --- | --- |", *lines])
