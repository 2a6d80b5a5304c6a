"""What the operators' page is told, from what a Prometheus says, and what happens when it says nothing."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from services.web.operators import figures, prometheus
from services.web.operators.prometheus import ChartLine, Prometheus, Series, Unknown, line
from services.web.operators.queries import QUERIES, STEPS, Query


class Stand(RequestHandler):
    """Answers in Prometheus' place: one series for every query, the value 7 at each point."""

    def initialize(self, said: dict[str, Any]) -> None:
        self._said = said

    def get(self) -> None:
        self._said["asked"].append(self.request.uri)
        if self.request.path == "/api/v1/alerts":
            self.write(self._said["alerts"])
            return
        start, end, step = (int(self.get_query_argument(name)) for name in ("start", "end", "step"))
        values = [[at, "7"] for at in range(start, end + 1, step)]
        metric = {"lane": "quick", "instance": "web0", "job": "web", "slo": "latency"}
        self.write({"status": "success", "data": {"result": [{"metric": metric, "values": values}]}})


ALERT = {
    "labels": {"alertname": "PrimesNoWorkers", "severity": "critical"},
    "annotations": {"summary": "No worker answers.", "action": "Start one.", "runbook": "docs/runbooks/PrimesNoWorkers.md"},
    "state": "firing",
    "activeAt": "2026-11-25T22:00:00Z",
    "value": "1e+00",
}


async def stand(said: dict[str, Any], handler: type[RequestHandler] = Stand) -> tuple[HTTPServer, str]:
    """The stand-in and its address."""
    (socket,) = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([(r"/.*", handler, {"said": said} if handler is Stand else {})]))
    server.add_sockets([socket])
    return server, f"http://127.0.0.1:{socket.getsockname()[1]}"


def said() -> dict[str, Any]:
    return {"asked": [], "alerts": {"status": "success", "data": {"alerts": [ALERT]}}}


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


@pytest.mark.parametrize("minutes", STEPS)
def test_every_figure_has_its_lines_and_a_value_for_each_point(minutes: int) -> None:
    async def scenario() -> None:
        server, address = await stand(said())
        told = json.loads(await Prometheus(address, "web3").figures(minutes))
        server.stop()
        assert told["instance"] == "web3"
        assert told["figures"].keys() == {query.figure for query in QUERIES}
        points = minutes * 60 // told["step"] + 1
        assert all(line["values"] == [7.0] * points for lines in told["figures"].values() for line in lines)
        assert [line["name"] for line in told["figures"]["quick"]] == ["p50", "p95", "p99"]
        assert [line["name"] for line in told["figures"]["burn"]] == ["latency quick"]
        assert told["alerts"] == [{key: value for key, value in ALERT.items() if key != "value"}]

    run(scenario)


def test_whoever_asks_at_the_same_time_or_soon_after_hears_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "FRESH", 60.0)

    async def scenario() -> None:
        heard = said()
        server, address = await stand(heard)
        prometheus = Prometheus(address, "web0")
        first, second = await asyncio.gather(prometheus.figures(15), prometheus.figures(15))
        assert first == second == await prometheus.figures(15)
        assert len(heard["asked"]) == len(QUERIES) + 1
        await prometheus.figures(60)
        assert any("step=30" in uri for uri in heard["asked"])
        server.stop()

    run(scenario)


class Silent(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(60)


class Endless(RequestHandler):
    def get(self) -> None:
        self.write(b" " * (prometheus.MOST_BYTES + 1))


class Broken(RequestHandler):
    def get(self) -> None:
        self.set_status(503)


class Garbled(RequestHandler):
    def get(self) -> None:
        self.write("<html>")


@pytest.mark.parametrize("handler", [Silent, Endless, Broken, Garbled])
def test_a_prometheus_that_does_not_tell_is_unknown_and_said_so(
    handler: type[RequestHandler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "TIMEOUT", 0.5)

    async def scenario() -> None:
        server, address = await stand({}, handler)
        with pytest.raises(Unknown, match="Prometheus"):
            await Prometheus(address, "web0").figures(15)
        server.stop()

    run(scenario)


def test_a_prometheus_that_is_not_there_is_unknown() -> None:
    async def scenario() -> None:
        server, address = await stand({})
        server.stop()
        with pytest.raises(Unknown, match="refused"):
            await Prometheus(address, "web0").figures(15)

    run(scenario)


def test_the_route_tells_figures_and_refuses_other_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "FRESH", 0.0)

    async def scenario() -> None:
        server, address = await stand(said())
        (socket,) = bind_sockets(0, "127.0.0.1")
        ours = HTTPServer(Application(figures.routes(address, "web0")))
        ours.add_sockets([socket])
        told = f"http://127.0.0.1:{socket.getsockname()[1]}/figures"
        client = AsyncHTTPClient(force_instance=True)
        answer = await client.fetch(told)
        assert answer.headers["Content-Type"] == "application/json"
        for minutes in ("0", "16", "-15", "a", "1e3", "\N{FULLWIDTH DIGIT ONE}5"):
            with pytest.raises(HTTPClientError) as refused:
                await client.fetch(f"{told}?minutes={quote(minutes)}")
            assert refused.value.code == 400
        server.stop()
        with pytest.raises(HTTPClientError) as unknown:
            await client.fetch(told)
        assert unknown.value.code == 502
        assert unknown.value.response is not None
        assert "refused" in json.loads(unknown.value.response.body)["error"]["message"]
        ours.stop()

    run(scenario)


def test_without_an_address_there_is_no_route() -> None:
    assert figures.routes("", "web0") == []


def test_a_line_has_gaps_where_nothing_is_known() -> None:
    query = Query("rate", "", by=("lane",))
    series = Series({"lane": "heavy"}, [(100.0, "1.5"), (120.0, "NaN"), (130.0, "+Inf"), (140.0, "2")])
    assert line(query, series, 100, 10, 140) == ChartLine("heavy", [1.5, None, None, None, 2.0])
