"""Bounds of docs/limits.md that one client fills, on real processes: it is told so, and another one is served all the same."""

import contextlib
import json
from pathlib import Path
from typing import Any

from services.jobs.names import Lane
from services.web.queue.ledger import HEAVY_ENTRIES
from services.web.v1.outbox import MOST_QUEUED
from tests.integration.conftest import Front
from tests.integration.plain_clients import PRIME, RawClient
from tests.integration.processes import frozen
from tests.integration.uploading import Sender
from tests.integration.waiting import wait_until
from tests.integration.web.behind_nginx import behind_nginx, send
from tests.integration.web.queue.test_shares import costly

GREEDY, POLITE = "127.0.0.2", "127.0.0.3"  # both are this machine


def asked(id: int, number: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": "is_prime", "params": {"number": number}}


def test_costly_entries_of_one_client_leave_room_for_anothers(manned: Front) -> None:
    web, more = manned.web0, 40
    numbers = costly(HEAVY_ENTRIES + more)
    with (
        RawClient(web.url, address=GREEDY) as greedy,
        RawClient(web.url, address=POLITE) as polite,
    ):
        with frozen(manned.worker0.pid):
            for number in numbers:
                greedy.send(number)
            wait_until(lambda: web.pending == len(numbers), "all are taken")
            wait_until(lambda: manned.redis.length(Lane.HEAVY) == HEAVY_ENTRIES, "as many as may be are in Redis")
            polite.send(costly(1, after=1 << 30)[0])
            wait_until(lambda: manned.redis.length(Lane.HEAVY) == HEAVY_ENTRIES + 1, "the other's goes there at once")
        polite.receive()
        assert len(list(greedy.messages(len(numbers)))) == len(numbers)


def test_uploads_of_one_client_leave_a_place_for_another(manned: Front) -> None:
    web = manned.web("places", "--max-uploads", "4")
    manned.wait_ready(web)
    with Sender(web.port, 4, GREEDY) as first, Sender(web.port, 4, GREEDY) as second:
        for sender in (first, second):
            sender.send(b"2\n")
        wait_until(lambda: web.metric("primes_web_uploads_active") == 2, "it has what it may have")
        with Sender(web.port, 2, GREEDY) as third:
            third.send(b"3\n")
            refused = third.finish()
        assert (refused.status, refused.json["error"]["code"], refused.headers["Retry-After"]) == (503, "busy", "1")
        with Sender(web.port, 3, POLITE) as other:
            other.send(b"97\n")
            assert other.finish().body.splitlines()[-1] == b'{"done":true,"lines":1,"answers":1}'
        for sender in (first, second):
            sender.send(b"3\n")
            assert sender.finish().status == 200


def test_a_session_that_asks_too_much_keeps_no_other_from_its_answers(manned: Front) -> None:
    web = manned.web("few", "--session-in-flight", "2")
    manned.wait_ready(web)
    with (
        RawClient(web.url, subprotocol="primes.v1", address=GREEDY) as greedy,
        RawClient(web.url, subprotocol="primes.v1", address=POLITE) as polite,
    ):
        greedy.receive(), polite.receive()  # of the session
        with frozen(manned.worker0.pid):
            for id, number in enumerate(costly(3)):
                greedy.send(json.dumps(asked(id, number)))
            refused = json.loads(greedy.receive())
            assert refused["error"]["data"] == {"code": "busy", "retryable": True, "retry_after": 1}
            polite.send(json.dumps(asked(1, "97")))
            wait_until(lambda: web.pending == 3, "the other's is taken")
        assert json.loads(polite.receive())["result"]["verdict"] == "prime"
        assert {json.loads(text)["id"] for text in greedy.messages(2)} == {0, 1}


def test_a_client_that_does_not_read_is_closed_while_another_is_answered(manned: Front) -> None:
    web = manned.web0
    wrong = json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "x" * 100}] * 100)
    with (
        RawClient(web.url, subprotocol="primes.v1", address=GREEDY, narrow=True) as greedy,
        RawClient(web.url, address=POLITE) as polite,
    ):
        closed = web.metric("primes_web_closes_total", code="4002")
        for _ in range(8 * MOST_QUEUED // 20_000):  # each is answered with more than 20 kB
            with contextlib.suppress(ConnectionError):  # it is closed by now
                greedy.send(wrong)
            polite.send("97")
            assert polite.receive() == PRIME
        # by its turns, since another is served beside it
        wait_until(lambda: web.metric("primes_web_closes_total", code="4002") == closed + 1, "who does not read is closed")


def test_connections_that_fill_nginx_are_all_that_it_takes_until_they_go(manned: Front, tmp_path: Path) -> None:
    request = b"GET /primes/97 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    few = {"worker_processes 4": "worker_processes 1", "worker_connections 20000": "worker_connections 24"}
    with behind_nginx(manned.web0, tmp_path, changes=few) as site:
        assert send(site.port, request).status == 200
        url = f"ws://127.0.0.1:{site.port}/chatsocket"
        sockets: list[RawClient] = []
        with contextlib.suppress(OSError, AssertionError):  # of the first that is dropped
            sockets.extend(RawClient(url) for _ in range(24))
        assert 4 <= len(sockets) <= 12  # each takes two connections
        for socket in sockets:
            socket.send("97")
            assert socket.receive() == PRIME
        for socket in sockets:
            socket.socket.close()
        wait_until(lambda: _answers(site.port, request), "there is room again")


def _answers(port: int, request: bytes) -> bool:
    try:
        return send(port, request).status == 200
    except OSError:
        return False
