"""Asks Prometheus for the figures of the operators' page, so that the page needs no way to it."""

import asyncio
import math
import time
from urllib.parse import urlencode

import msgspec
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from services.web.operators.queries import QUERIES, STEPS, Query

TIMEOUT = 3.0  # seconds for all questions together: the page asks again after five
MOST_BYTES = 2 * 1024 * 1024  # of one answer; an hour of 50 series takes 150 KB
FRESH = 1.0  # second for which figures are told again, however many look at the page


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


class ChartLine(msgspec.Struct, frozen=True):
    """A line of a chart; null where nothing is known."""

    name: str
    values: list[float | None]


class Figures(msgspec.Struct, frozen=True):
    """What the page shows."""

    instance: str  # the web process that asked
    start: int  # seconds since 1970
    step: int  # seconds between two values
    figures: dict[str, list[ChartLine]]
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
        figures: dict[str, list[ChartLine]] = {query.figure: [] for query in QUERIES}
        for query in QUERIES:
            expr = query.expr.replace("WINDOW", f"{max(60, step)}s")
            asked = urlencode({"query": expr, "start": start, "end": end, "step": step})
            answer = _ranged.decode(await self._get(f"/api/v1/query_range?{asked}"))
            figures[query.figure] += [line(query, series, start, step, end) for series in answer.data.result]
        alerts = _alerting.decode(await self._get("/api/v1/alerts")).data.alerts
        return Figures(self._instance, start, step, figures, alerts)

    async def _get(self, path: str) -> bytes:
        return (await self._client.fetch(self._address + path, request_timeout=TIMEOUT)).body


def line(query: Query, series: Series, start: int, step: int, end: int) -> ChartLine:
    """A series as a line with a value for each point of time."""
    known = {round(at): float(text) for at, text in series.values}
    values = (known.get(at, math.nan) for at in range(start, end + 1, step))
    name = query.name or " ".join(series.metric.get(label, "") for label in query.by)
    return ChartLine(name, [value if math.isfinite(value) else None for value in values])
