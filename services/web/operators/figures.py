"""The figures of the operators' page: a web process asks Prometheus, so that the page needs no way to it."""

import asyncio
import math
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.web import url

from services.runtime.endpoints import ReadOnly

TIMEOUT = 3.0  # seconds for all questions together: the page asks again after five
MOST_BYTES = 2 * 1024 * 1024  # of one answer; an hour of 50 series takes 150 KB
FRESH = 1.0  # second for which figures are told again, however many look at the page

# Minutes that the page may look back, each with the seconds between two points: about a hundred points each.
STEPS = {15: 10, 60: 30, 360: 180, 1440: 720}


@dataclass(frozen=True, slots=True)
class Query:
    """One question: its lines belong to `figure` and are called by the values of labels, or `name` if there is one line alone."""

    figure: str
    expr: str  # WINDOW stands for the seconds over which a rate is taken
    by: tuple[str, ...] = ()
    name: str = ""


def latency(lane: str, percent: int) -> Query:
    """The time within which so many per cent of a lane's jobs were answered."""
    expr = f'sum by (le) (rate(primes_web_job_seconds_bucket{{lane="{lane}"}}[WINDOW]))'
    return Query(lane, f"histogram_quantile({percent / 100}, {expr})", name=f"p{percent}")


QUERIES = (
    Query("rate", "sum by (lane) (rate(primes_web_jobs_answered_total[WINDOW]))", by=("lane",)),
    *(latency(lane, percent) for lane in ("quick", "heavy") for percent in (50, 95, 99)),
    Query("age", "lane:primes_queue_oldest_seconds:max", by=("lane",)),
    Query("connections", "sum by (instance) (primes_web_connections)", by=("instance",)),
    # 0, not nothing: stopped workers leave DNS, and with them go their series
    *(Query("processes", f'sum(up{{job="{job}"}}) or vector(0)', name=job) for job in ("web", "worker")),
    Query("dead", "max(primes_dead_letters)", name="dead letters"),
    Query(
        "canary",
        'sum(rate(primes_canary_checks_total{outcome="right"}[WINDOW])) / sum(rate(primes_canary_checks_total[WINDOW]))',
        name="right",
    ),
    Query("burn", "lane_slo:primes_budget_burn:1h", by=("slo", "lane")),
)


class Series(msgspec.Struct, frozen=True):
    """One series of Prometheus' answer: [seconds, "value"], a point each step."""

    metric: dict[str, str]
    values: list[tuple[float, str]]


class Matrix(msgspec.Struct, frozen=True):
    """The part of an answer to a range query that is read."""

    result: list[Series]


class Alert(msgspec.Struct, frozen=True):
    """An alert that fires, or is about to."""

    labels: dict[str, str]
    annotations: dict[str, str]
    state: str
    since: str = msgspec.field(name="activeAt")


class Alerts(msgspec.Struct, frozen=True):
    """The part of the answer about alerts that is read."""

    alerts: list[Alert]


class Ranged(msgspec.Struct, frozen=True):
    """An answer to a range query."""

    data: Matrix


class Alerting(msgspec.Struct, frozen=True):
    """An answer about alerts."""

    data: Alerts


class Line(msgspec.Struct, frozen=True):
    """A line of a chart; null where nothing is known."""

    name: str
    values: list[float | None]


class Figures(msgspec.Struct, frozen=True):
    """What the page shows."""

    instance: str  # the web process that asked
    start: int  # seconds since 1970
    step: int  # seconds between two values
    figures: dict[str, list[Line]]
    alerts: list[Alert]


_ranged = msgspec.json.Decoder(Ranged)
_alerting = msgspec.json.Decoder(Alerting)


class Unknown(Exception):
    """Prometheus did not tell; the message says why."""


class Prometheus:
    """Asks for all figures, one question after the other, and tells them again for a second."""

    def __init__(self, address: str, instance: str) -> None:
        self._address = address.rstrip("/")
        self._instance = instance
        self._client = AsyncHTTPClient(force_instance=True, max_body_size=MOST_BYTES)
        self._kept: dict[int, tuple[float, bytes]] = {}  # by minutes: until when (time.monotonic()), and what is told
        self._asking = asyncio.Lock()  # who comes while another asks waits for what that one hears

    async def figures(self, minutes: int) -> bytes:
        """The figures of so many minutes (one of STEPS), as JSON. Raises Unknown."""
        async with self._asking:
            until, told = self._kept.get(minutes, (0.0, b""))
            if time.monotonic() < until:
                return told
            try:
                async with asyncio.timeout(TIMEOUT):
                    told = msgspec.json.encode(await self._ask(minutes))
            except TimeoutError:
                raise Unknown(f"Prometheus did not answer within {TIMEOUT:g} s") from None
            except (OSError, HTTPClientError, msgspec.DecodeError) as error:
                raise Unknown(f"Prometheus: {error}") from None
            self._kept[minutes] = time.monotonic() + FRESH, told
            return told

    async def _ask(self, minutes: int) -> Figures:
        step = STEPS[minutes]
        end = int(time.time()) // step * step
        start = end - minutes * 60
        figures: dict[str, list[Line]] = {query.figure: [] for query in QUERIES}
        for query in QUERIES:
            expr = query.expr.replace("WINDOW", f"{max(60, step)}s")
            asked = urlencode({"query": expr, "start": start, "end": end, "step": step})
            answer = _ranged.decode(await self._get(f"/api/v1/query_range?{asked}"))
            figures[query.figure] += [line(query, series, start, step, end) for series in answer.data.result]
        alerts = _alerting.decode(await self._get("/api/v1/alerts")).data.alerts
        return Figures(self._instance, start, step, figures, alerts)

    async def _get(self, path: str) -> bytes:
        return (await self._client.fetch(self._address + path, request_timeout=TIMEOUT)).body


def line(query: Query, series: Series, start: int, step: int, end: int) -> Line:
    """A series as a line with a value for each point of time."""
    known = {round(at): float(text) for at, text in series.values}
    values = (known.get(at, math.nan) for at in range(start, end + 1, step))
    name = query.name or " ".join(series.metric.get(label, "") for label in query.by)
    return Line(name, [value if math.isfinite(value) else None for value in values])


class Told(ReadOnly):
    """`GET /figures?minutes=15` on the operators' port."""

    def initialize(self, prometheus: Prometheus) -> None:
        """`prometheus` is the process' one."""
        self._prometheus = prometheus

    async def get(self) -> None:
        """200 with the figures, 400 for other minutes, 502 when Prometheus does not tell."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        minutes = self.get_query_argument("minutes", "15")
        if not minutes.isascii() or not minutes.isdecimal() or int(minutes) not in STEPS:
            expected = ", ".join(map(str, STEPS))
            return self._fail(400, f"minutes: expected one of {expected}, got {minutes[:20]!r}")
        try:
            self.finish(await self._prometheus.figures(int(minutes)))
        except Unknown as error:
            self._fail(502, str(error))

    def _fail(self, status: int, message: str) -> None:
        self.set_status(status)
        self.finish({"error": {"message": message}})


def routes(address: str, instance: str) -> list[object]:
    """The route of the operators' page; none without an address of Prometheus."""
    return [url(r"/figures", Told, {"prometheus": Prometheus(address, instance)})] if address else []
