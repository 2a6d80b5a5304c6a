"""A web process that is told to stop answers what it was asked, says good-bye, and ends."""

import signal

import pytest

from services.jobs.names import Lane
from tests.integration.clients import HEAVY, NOT_PRIME, PRIME, Load, RawClient
from tests.integration.conftest import Front
from tests.integration.processes import thaw
from tests.integration.stack import Web, get
from tests.integration.steps import asking, freeze_child
from tests.integration.waiting import wait_until

RESTART = 1012  # close code: service restart


def refuses(web: Web) -> bool:
    try:
        web.get("/healthz")
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def web(manned: Front) -> Web:
    """A web process to be stopped."""
    web = manned.web("leaving", "--drain", "30")
    manned.wait_ready()
    return web


def test_jobs_under_way_are_answered_before_their_sockets_are_closed(manned: Front, web: Web) -> None:
    child = freeze_child(manned.web0, manned.worker0)
    with RawClient(web.url) as client, RawClient(web.url) as idle_client:
        for number in (HEAVY, "7", "8"):
            client.send(number)
        wait_until(lambda: web.metric("primes_web_jobs_answered_total") == 2, "the quick jobs behind the slow one are answered")

        web.send(signal.SIGTERM)
        wait_until(lambda: refuses(web), "new clients are refused")
        readiness = get(web.metrics_port, "/readyz")
        assert (readiness.status, readiness.json) == (503, {"status": "draining"})
        thaw(child)

        assert list(client.messages(3)) == [PRIME, PRIME, NOT_PRIME]
        assert client.wait_closed() == RESTART
        assert idle_client.wait_closed() == RESTART
    assert web.wait(15) == 0


def test_http_requests_under_way_are_answered(manned: Front, web: Web) -> None:
    child = freeze_child(manned.web0, manned.worker0)
    with asking(web, HEAVY, HEAVY) as requests:
        wait_until(lambda: web.pending == 2, "the requests wait")

        web.send(signal.SIGTERM)
        wait_until(lambda: refuses(web), "new clients are refused")
        thaw(child)

        assert [request.result().json["verdict"] for request in requests] == ["probably_prime"] * 2
    assert web.wait(15) == 0


def test_a_drain_that_takes_too_long_ends_all_the_same(manned: Front) -> None:
    web = manned.web("leaving", "--drain", "1")
    manned.wait_ready()
    child = freeze_child(manned.web0, manned.worker0)
    with RawClient(web.url) as client:
        client.send(HEAVY)
        wait_until(lambda: manned.redis.held("worker0", Lane.HEAVY) == 1, "the job is under way")

        web.send(signal.SIGTERM)

        assert client.wait_closed() == RESTART
    assert web.wait(15) == 0
    thaw(child)


def test_a_process_under_load_ends_too(manned: Front, web: Web) -> None:
    with Load(*[web.url] * 4) as load:
        wait_until(lambda: load.tally.answered > 1_000, "answers fly")
        web.send(signal.SIGTERM)

        assert web.wait(8) == 0
