"""One request can be followed through the logs of the web process and the worker; by default neither tells of single jobs."""

import asyncio
import http.client
import json
from typing import Any

import pytest

from services.runtime.logs import veil
from tests.integration.stack import Service, Stack, Web, Worker
from tests.integration.v1_clients import RpcClient
from tests.integration.waiting import wait_until

JSON = {"PRIMES_LOG_FORMAT": "json"}


def lines(service: Service, message: str) -> list[dict[str, Any]]:
    """The lines of this message; every line is JSON."""
    told = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert all(line["instance"] == service.name for line in told)
    return [line for line in told if line["message"] == message]


def started(stack: Stack, *options: str) -> tuple[Web, Worker]:
    stack.redis.start()
    web, worker = stack.web("web0", *options, environment=JSON), stack.worker("worker0", *options, environment=JSON)
    stack.wait_ready()
    return web, worker


@pytest.fixture
def talkative(stack: Stack) -> tuple[Web, Worker]:
    return started(stack, "--log-level", "DEBUG")


def test_the_id_that_nginx_gave_is_told_by_web_process_and_worker(talkative: tuple[Web, Worker]) -> None:
    web, worker = talkative
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    connection.request("GET", "/primes/97", headers={"X-Request-ID": "f00dfeed"})
    assert connection.getresponse().status == 200
    connection.close()
    (computed,) = wait_until(lambda: lines(worker, "computed"), "the worker tells")
    (answered,) = lines(web, "answered")
    assert computed["request"] == answered["request"] == "f00dfeed"
    assert computed["job"] == answered["job"]
    assert computed["job"].startswith("web0-")
    assert computed["outcome"] == answered["outcome"] == "prime"


def test_a_heavy_job_is_told_too(talkative: tuple[Web, Worker]) -> None:
    web, worker = talkative
    assert web.get(f"/primes/{10**400 + 1}").json["verdict"] == "composite"
    (computed,) = wait_until(lambda: lines(worker, "computed"), "the worker tells")
    (answered,) = lines(web, "answered")
    assert (computed["lane"], computed["job"], computed["outcome"]) == ("heavy", answered["job"], "composite")


def test_a_session_is_told_by_a_name_that_is_not_its_token(talkative: tuple[Web, Worker]) -> None:
    web, worker = talkative

    async def scenario() -> str:
        client = await RpcClient().connect(web.url)
        await client.ask("97")
        await client.answered()
        token = client.token
        await client.close()
        return token

    token = asyncio.run(scenario())
    (computed,) = wait_until(lambda: lines(worker, "computed"), "the worker tells")
    (answered,) = lines(web, "answered")
    (begun,) = lines(web, "session begun")
    assert computed["session"] == answered["session"] == begun["session"] == veil(token)
    assert token not in web.log.read_text() + worker.log.read_text()


def test_jobs_are_not_told_by_default(stack: Stack) -> None:
    web, worker = started(stack)
    for number in range(20):
        assert web.get(f"/primes/{number}").status == 200
    assert len(web.log.read_text().splitlines()) + len(worker.log.read_text().splitlines()) <= 4
    assert not lines(web, "answered") and not lines(worker, "computed")
