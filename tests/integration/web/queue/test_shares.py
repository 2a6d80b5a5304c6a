"""One client that asks for much keeps nobody waiting, and takes no more than its share."""

import contextlib
import json
import re
import select
import socket
from concurrent.futures import ThreadPoolExecutor

import gmpy2
import pytest

from services.jobs import names
from services.jobs.messages import decode_jobs
from services.jobs.names import Lane
from services.web.shares import BURST, HANDSHAKE, MOST_WAITING, REQUEST
from tests.integration.conftest import Front
from tests.integration.plain_clients import NOT_PRIME, PRIME, SLOW, RawClient
from tests.integration.processes import frozen
from tests.integration.redis_server import RedisServer
from tests.integration.stack import Web
from tests.integration.uploading import post, posting
from tests.integration.waiting import wait_until

GREEDY, POLITE = "127.0.0.1", "127.0.0.2"  # both are this machine
LARGE, LARGER = (gmpy2.mpz(1) << 2203) - 1, (gmpy2.mpz(1) << 4423) - 1  # primes


def costly(count: int, after: int = 1 << 20, large: gmpy2.mpz = LARGE) -> list[str]:
    """Composites of 670 digits without a small factor: some milliseconds each; of 1,340 with `LARGER`: five times as long."""
    numbers: list[str] = []
    factor = gmpy2.mpz(after)
    for _ in range(count):
        factor = gmpy2.next_prime(factor)
        numbers.append(gmpy2.digits(large * factor))
    return numbers


LABOUR = "+".join(["fib(64)"] * 66)  # is read in some hundred times as long as its length tells
LABOURS = 1_000  # of them: half a second, and 40 ms as their length tells
LABORIOUS = {"jsonrpc": "2.0", "id": 1, "method": "is_prime", "params": {"number": f"{LABOUR}+"}}  # and is none in the end


@pytest.fixture
def narrow(manned: Front) -> Web:
    """A web process of which one client has little where another asks too, with a worker behind it."""
    web = manned.web("shared", "--client-share", "0.001", "--ping", "1")
    manned.wait_ready()
    return web


class Polite(RawClient):
    """Asks one number after the other, so that another client is not alone."""

    def __init__(self, web: Web) -> None:
        super().__init__(web.url, address=POLITE)

    def ask(self) -> None:
        self.send("91")
        assert self.receive() == NOT_PRIME

    def ask_on(self) -> None:
        """Be served for some seconds."""
        until = self.pings + 4
        while self.pings < until:
            self.ask()


def test_messages_that_are_costly_to_read_count_as_what_they_take(narrow: Web) -> None:
    with Polite(narrow) as polite, RawClient(narrow.url, subprotocol="primes.v1", address=GREEDY) as greedy:
        json.loads(greedy.receive())
        for _ in range(LABOURS):
            polite.ask()
            greedy.send(json.dumps(LABORIOUS))
        polite.ask_on()
        assert 0 < narrow.metric("primes_web_rpc_errors_total", code="not_an_integer") < LABOURS
        assert narrow.metric("primes_web_closes_total", code="1011") == 0
        for _ in range(LABOURS):  # once it is alone
            assert json.loads(greedy.receive())["error"]["data"]["code"] == "not_an_integer"


def test_batches_that_are_costly_to_read_count_as_what_they_take(narrow: Web) -> None:
    with Polite(narrow) as polite, RawClient(narrow.url, subprotocol="primes.v1", address=GREEDY) as greedy:
        json.loads(greedy.receive())
        polite.ask()
        for _ in range(LABOURS // 100):
            greedy.send(json.dumps([LABORIOUS] * 100))
        polite.ask_on()
        assert 0 < narrow.metric("primes_web_rpc_errors_total", code="not_an_integer") < LABOURS
        assert narrow.metric("primes_web_closes_total", code="1011") == 0  # though its pongs were not read
        for _ in range(LABOURS // 100):  # once it is alone
            assert len(json.loads(greedy.receive())) == 100


def test_a_file_that_is_costly_to_read_counts_as_what_it_takes(narrow: Web) -> None:
    body = b"number,more\n" + b",\n" * 500_000  # a second to read, and 7 ms as its length tells
    with Polite(narrow) as polite:
        polite.ask()
        with posting(narrow.port, body) as response:
            polite.ask_on()
            assert not response.done()
            polite.socket.close()
            assert response.result().status == 200  # once it is alone


def test_answers_to_a_file_count_as_what_it_takes_to_tell_them(narrow: Web) -> None:
    location = post(narrow.port, b"9\n" * 200_000, {"Prefer": "respond-async"}).headers["Location"]  # a second of answers
    with Polite(narrow) as polite:
        polite.ask()
        with ThreadPoolExecutor(1) as pool:
            listed = pool.submit(narrow.get, f"{location}?timeout=60")
            polite.ask_on()
            assert not listed.done()
            polite.socket.close()
            assert listed.result().body.endswith(b'"answers":200000}\n')  # once it is alone


@pytest.mark.parametrize("address", [POLITE, GREEDY])  # of the same address another socket
def test_one_costly_number_beside_many_of_another_is_soon_answered(manned: Front, address: str) -> None:
    manned.wait_ready()
    web = manned.web0
    with RawClient(web.url, address=GREEDY) as greedy, RawClient(web.url, address=address) as polite:
        with frozen(manned.worker0.pid):
            for number in costly(150, large=LARGER):  # seconds of work, so that it is early to tell when the one is answered
                greedy.send(number)
            wait_until(lambda: manned.redis.length(Lane.HEAVY) == 150, "all of them wait in Redis")
            polite.send(costly(1, after=1 << 30)[0])
            wait_until(lambda: manned.redis.length(Lane.HEAVY) == 151, "the one too")
        assert polite.receive() == NOT_PRIME
        assert web.pending > 75  # its turn came long before theirs were over
        assert list(greedy.messages(150)) == [NOT_PRIME] * 150
    wait_until(lambda: manned.redis.admin.keys("*:turns*") == [], "nobody waits for a turn")


def written(redis: RedisServer) -> int:
    """Jobs in the entries of the quick lane."""
    return sum(len(decode_jobs(fields[b"jobs"])) for _, fields in redis.admin.xrange(names.stream(Lane.QUICK)))


def test_a_flood_of_quick_numbers_keeps_no_other_client_waiting(manned: Front) -> None:
    manned.wait_ready()
    web = manned.web0
    each = 1_000  # as many as a socket may have under way
    count = 10 * each  # a second or two of work, so that it is early to tell when the one is answered
    with contextlib.ExitStack() as sockets, RawClient(web.url, address=POLITE) as polite:
        flood = [sockets.enter_context(RawClient(web.url, address=GREEDY)) for _ in range(count // each)]
        with frozen(manned.worker0.pid):
            for number, greedy in enumerate(flood):
                for n in range(each):
                    greedy.send(str(10**104 + number * each + n))
            wait_until(lambda: web.pending == count, "all of them wait")
            wait_until(lambda: 0 < written(manned.redis) < count // 2, "a part of them in Redis")
            polite.send("97")
            wait_until(lambda: web.pending == count + 1, "the one too")
        assert polite.receive() == PRIME
        assert web.pending > count // 2
        assert all(len(list(greedy.messages(each))) == each for greedy in flood)


def test_a_short_number_is_answered_while_every_child_computes_long_ones_of_another(front: Front) -> None:
    front.worker("spare", "--short-processes", "1")
    front.wait_ready()
    web = front.web0
    with RawClient(web.url, address=GREEDY) as greedy, RawClient(web.url, address=POLITE) as polite:
        for n in (0, 2, 4):
            greedy.send((gmpy2.mpz(SLOW) + n).digits())
        wait_until(lambda: front.redis.held("spare", Lane.HEAVY) == 1, "one is computed")
        polite.send(costly(1)[0])
        assert polite.receive() == NOT_PRIME
        assert web.pending == 3


def test_a_client_that_fills_its_share_leaves_room_for_others(manned: Front) -> None:
    web = manned.web("small", "--max-pending", "10")
    manned.wait_ready()
    with (
        RawClient(web.url, address=GREEDY) as greedy,
        RawClient(web.url, address=POLITE) as polite,
        frozen(manned.worker0.pid),
    ):
        for number in range(6):
            greedy.send(str(number))
        wait_until(lambda: web.metric("primes_web_jobs_refused_total", reason="busy") == 1, "the sixth is refused")
        polite.send("7")
        wait_until(lambda: web.pending == 6, "the other's is taken")


def test_a_client_that_had_its_share_of_a_process_waits_while_another_is_served(narrow: Web) -> None:
    count = 5_000  # twice what it may take before its share counts
    with Polite(narrow) as polite, RawClient(narrow.url, address=GREEDY) as greedy:
        others = sent = 0
        while polite.pings < 4 or sent < count:  # for several times as long as a peer may be silent
            polite.ask()
            others += 1
            for _ in range(min(100, count - sent)):
                greedy.send("97")
                sent += 1
        assert narrow.metric("primes_web_messages_total", outcome="integer") < count + others
        assert narrow.metric("primes_web_closes_total", code="1011") == 0
        assert list(greedy.messages(count)) == [PRIME] * count  # once it is alone


def test_requests_of_a_client_that_had_its_share_wait_and_too_many_are_told_when_to_come_again(manned: Front) -> None:
    web = manned.web("crowded", "--client-share", "0.001")
    manned.wait_ready()
    most = BURST // REQUEST + 1 + MOST_WAITING
    with contextlib.ExitStack() as held, Polite(web) as polite:

        def ask() -> socket.socket:
            polite.ask()
            sock = held.enter_context(socket.create_connection(("127.0.0.1", web.port), source_address=(GREEDY, 0)))
            sock.sendall(b"GET /primes/97 HTTP/1.0\r\n\r\n")
            return sock

        asked = [ask() for _ in range(most)]
        readable, _, _ = select.select([ask() for _ in range(20)], [], [], 20)  # some more, should a few have had their turn by now
        refused = b"".join(iter(lambda: readable[0].recv(4096), b""))
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert re.search(rb"Retry-After: [1-9][0-9]*\r\n", refused)
        assert b"256 requests of this client wait for their turn" in refused
        for sock in asked[BURST // REQUEST + 5 :]:
            sock.close()  # those that left meanwhile are not asked for
        assert b'"prime"' in asked[0].recv(4096)
    wait_until(lambda: web.metric("primes_web_http_requests_total", route="/primes/N", status="499") > 200, "those that left")


def test_a_socket_whose_client_leaves_while_its_handshake_waits_is_not_counted(manned: Front) -> None:
    web = manned.web("crowded", "--client-share", "0.001")
    manned.wait_ready()
    head = "GET /chatsocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
    with Polite(web) as polite:
        with contextlib.ExitStack() as held:
            for _ in range(BURST // HANDSHAKE + 50):
                polite.ask()
                sock = held.enter_context(socket.create_connection(("127.0.0.1", web.port), source_address=(GREEDY, 0)))
                sock.sendall(head.encode())
            wait_until(lambda: web.metric("primes_web_connections") > BURST // HANDSHAKE, "some are open")
            assert web.metric("primes_web_connections") < BURST // HANDSHAKE + 50
        with RawClient(web.url, address=GREEDY) as last:  # its turn comes after theirs
            last.send("97")
            assert last.receive() == PRIME
            wait_until(lambda: web.metric("primes_web_connections") == 2, "those that left are not counted")


def test_a_budget_that_is_spent_says_when_there_is_more(manned: Front) -> None:
    web = manned.web("strict", "--client-rate", "0.5", "--client-burst", "1")
    manned.wait_ready()
    answered = web.get("/primes/97")
    assert answered.headers["Ratelimit-Policy"] == '"work";q=1000;w=2'
    assert answered.headers["Ratelimit"].startswith('"work";r=')
    with frozen(manned.worker0.pid), RawClient(web.url, subprotocol="primes.v1") as client:
        json.loads(client.receive())
        number = str((gmpy2.mpz(1) << 9_000) + 1)  # estimated at 2.5 s: the first of that cost is taken, since nothing is spent
        for id in (1, 2):
            request = {"jsonrpc": "2.0", "id": id, "method": "is_prime", "params": {"number": number}}
            client.send(json.dumps(request))
        error = json.loads(client.receive())
        assert (error["id"], error["error"]["data"]["code"]) == (2, "busy")
        assert 1 <= error["error"]["data"]["retry_after"] <= 8
        assert "budget of work is spent" in error["error"]["message"]
        refused = web.get(f"/primes/{number}")
        assert (refused.status, refused.json["error"]["code"]) == (429, "busy")
        assert 1 <= int(refused.headers["Retry-After"]) <= 8
        assert refused.headers["Ratelimit"].startswith('"work";r=0;t=')
        client.send(json.dumps({"jsonrpc": "2.0", "id": 3, "method": "cancel", "params": {"request": 1}}))
    assert web.metric("primes_web_jobs_refused_total", reason="over_budget") == 2
