"""The short way to Redis does what redis-py would do: on a real server that dies, hangs, refuses, or answers piece by piece."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import uvloop
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
)

from services.broker.client import BrokerClient
from services.broker.connection import PASSING, BusyError, CannotSaveError, NoReplicasError, connect
from services.broker.subscription import Subscription
from services.jobs import names
from services.jobs.names import Lane
from services.runtime.settings import Settings
from tests.integration.processes import frozen
from tests.integration.redis_client import connected
from tests.integration.redis_server import RedisServer
from tests.integration.waiting import eventually

TIMEOUT = 30.0  # seconds that a loaded machine keeps
SHORT = 3.0  # seconds, where it is passed; a Redis that has just been thawed answers in less


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[Any]], Any]:
    def run(scenario: Any) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(scenario)

    return run


def client(server: RedisServer, **settings: Any) -> redis.asyncio.Redis:
    return connected(server, **{"redis_timeout": TIMEOUT, "instance": "me"} | settings)


def script(body: str) -> tuple[str, str, int]:
    return "EVAL", body, 0


def test_replies_come_in_the_order_of_the_commands(server: RedisServer, run: Callable[[Any], Any]) -> None:
    async def scenario() -> list[Any]:
        broker = BrokerClient(client(server))
        await broker.run("PING")
        sent = [broker.send(script(f"return {n}")) for n in range(500)]
        return list(await asyncio.gather(*sent))

    assert run(scenario()) == list(range(500))


def test_commands_before_there_is_a_connection_share_one(server: RedisServer, run: Callable[[Any], Any]) -> None:
    async def scenario() -> list[Any]:
        broker = BrokerClient(client(server))
        replies = await asyncio.gather(*(broker.run(*script(f"return {n}")) for n in range(20)))
        assert [each["name"] for each in server.admin.client_list() if each["user"] == "worker"] == ["me"]
        return list(replies)

    assert run(scenario()) == list(range(20))


def test_a_transaction_tells_its_results_or_its_first_error(server: RedisServer, run: Callable[[Any], Any]) -> None:
    async def scenario() -> None:
        broker = BrokerClient(client(server))
        await broker.run("PING")
        assert await broker.send(("MULTI",), ("PUBLISH", "primes:x", b""), ("PUBLISH", "primes:y", b""), ("EXEC",)) == [0, 0]
        with pytest.raises(NoPermissionError):
            await broker.send(("MULTI",), ("GET", "other"), ("EXEC",))
        assert await broker.run("PING") == b"PONG"

    run(scenario())


def test_a_large_reply_and_a_large_command_come_whole(server: RedisServer, run: Callable[[Any], Any]) -> None:
    text = bytes(range(256)) * 40_000

    async def scenario() -> bytes:
        return bytes(await BrokerClient(client(server)).run("EVAL", "return ARGV[1]", 0, text))

    assert run(scenario()) == text


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("OOM command not allowed", OutOfMemoryError),
        ("READONLY You can't write", ReadOnlyError),
        ("MISCONF Redis is configured to save", CannotSaveError),
        ("NOREPLICAS Not enough good replicas to write", NoReplicasError),
        ("BUSY Redis is busy running a script", BusyError),
        ("CLUSTERDOWN Hash slot not served", ClusterDownError),
        ("MOVED 3999 127.0.0.1:6381", MovedError),
        ("LOADING Redis is loading the dataset in memory", BusyLoadingError),
        ("NOSCRIPT No matching script", NoScriptError),
        ("ERR whatever", ResponseError),
    ],
)
def test_an_error_is_of_the_class_that_redis_py_has_for_it(server: RedisServer, said: str, kind: type[Exception]) -> None:
    async def scenario() -> None:
        whole = client(server)
        broker = BrokerClient(whole)
        for way in (broker.run, whole.execute_command):
            with pytest.raises(kind) as raised:
                await way("EVAL", f"return redis.error_reply([[{said}]])", 0)
            assert type(raised.value) is kind
        assert await broker.run("PING") == b"PONG"  # the connection is as good as before

    asyncio.run(scenario())


@pytest.mark.parametrize("number", [9, 15])
def test_commands_under_way_fail_when_redis_dies_and_the_next_connects_again(
    server: RedisServer, run: Callable[[Any], Any], number: int
) -> None:
    stream = names.stream(Lane.QUICK)
    server.admin.xgroup_create(stream, names.GROUP, id="0", mkstream=True)

    async def scenario() -> None:
        broker = BrokerClient(client(server))
        read = ("XREADGROUP", "GROUP", names.GROUP, "me", "BLOCK", 60_000, "STREAMS", stream, ">")
        waiting = [asyncio.ensure_future(broker.run(*read, blocking=60)), asyncio.ensure_future(broker.run("PING"))]
        await eventually(lambda: server.admin.info("clients")["blocked_clients"] == 1, "the read waits")
        server.stop(number)
        for each in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(each, ConnectionError)
        with pytest.raises(ConnectionError):
            await broker.run("PING")
        with pytest.raises(ConnectionError):
            await broker.send(("PING",))
        server.start()
        assert await broker.run("PING") == b"PONG"

    run(scenario())


def test_a_silent_redis_is_given_up_and_its_late_reply_is_nobodys(server: RedisServer, run: Callable[[Any], Any]) -> None:
    async def scenario() -> None:
        broker = BrokerClient(client(server, redis_timeout=SHORT))
        assert await broker.run("PING") == b"PONG"
        assert server.program
        with frozen(server.program.pid):
            replies = await asyncio.gather(*(broker.run(*script("return 1")) for _ in range(3)), return_exceptions=True)
            assert [type(reply) for reply in replies] == [TimeoutError] * 3
            with pytest.raises(PASSING):  # a connection that nobody accepts
                await broker.run("PING")
        assert await broker.run(*script("return 2")) == 2

    run(scenario())


def test_whoever_does_not_wait_any_more_takes_no_reply_from_another(server: RedisServer, run: Callable[[Any], Any]) -> None:
    async def scenario() -> list[Any]:
        broker = BrokerClient(client(server))
        await broker.run("PING")
        sent = [broker.send(script(f"return {n}")) for n in range(5)]
        sent[0].cancel()
        sent[3].cancel()
        return [await each for each in sent if not each.cancelled()]

    assert run(scenario()) == [1, 2, 4]


def test_a_wrong_password_is_told_as_redis_py_tells_it(server: RedisServer, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong")

    async def scenario() -> None:
        whole = client(server, redis_password_file=wrong)
        for way in (BrokerClient(whole).run, whole.execute_command):
            with pytest.raises(ConnectionError, match="invalid username-password pair"):
                await way("PING")

    asyncio.run(scenario())


def test_a_subscription_that_redis_forbids_ends_with_its_error(server: RedisServer) -> None:
    async def scenario() -> None:
        with pytest.raises(NoPermissionError):
            await Subscription(client(server), {"others:channel": print}, 1).run()

    asyncio.run(scenario())


def test_a_fault_of_a_handler_ends_the_subscription(server: RedisServer, run: Callable[[Any], Any]) -> None:
    def handle(payload: bytes) -> None:
        raise KeyError(payload)

    async def scenario() -> None:
        listening = asyncio.ensure_future(Subscription(client(server), {"primes:x": handle}, 5).run())
        await eventually(lambda: server.admin.publish("primes:x", b"fault"), "it listens")
        with pytest.raises(KeyError):
            await listening

    run(scenario())


def test_messages_are_heard_in_order_over_whatever_befalls_the_connection(server: RedisServer, run: Callable[[Any], Any]) -> None:
    heard: list[bytes] = []
    told: list[int] = []

    def publish(text: str) -> Callable[[], bool]:
        return lambda: bool(server.admin.publish("primes:x", text))

    async def scenario() -> None:
        channels = {"primes:x": heard.append, "primes:y": heard.append}
        listening = asyncio.ensure_future(Subscription(client(server), channels, 5, lambda: told.append(len(heard))).run())
        await eventually(publish("first"), "it listens")
        for n in range(1_000):
            server.admin.publish("primes:x", n)
        await eventually(lambda: len(heard) == 1_001, "all are heard")
        server.stop()
        server.start()
        await eventually(publish("last"), "it listens again")
        await eventually(lambda: heard[-1] == b"last", "and hears")
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

    run(scenario())
    assert heard == [b"first", *(b"%d" % n for n in range(1_000)), b"last"]
    assert told == [0, 1_001]  # each time that it listened anew, before it heard anything


HELLO = b"+OK\r\n"
REPLIES = b"*2\r\n$5\r\na\r\nb\r\r\n:7\r\n" + b"-ERR no\r\n" + b"$-1\r\n" + b"*1\r\n*2\r\n:1\r\n$0\r\n\r\n"


@contextmanager
def peer(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where every command is met with OK, and a connection's first PING with this."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[listening.accept()[0]], daemon=True).start()

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asked = False
        with connection, suppress(OSError):
            while text := connection.recv(65_536):
                if b"PING" not in text:
                    connection.sendall(HELLO * text.count(b"*"))
                elif not asked:
                    asked = True
                    answer(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


async def ask(port: int, number: int) -> list[Any]:
    broker = BrokerClient(connect(Settings(redis_url=f"redis://127.0.0.1:{port}", redis_timeout=TIMEOUT, _cli_parse_args=[])))
    with suppress(ConnectionError, ResponseError):  # there is a connection now, whatever it says
        await broker.run("ECHO", "")
    return await asyncio.gather(*(broker.send(("PING",)) for _ in range(number)), return_exceptions=True)


def test_replies_may_be_cut_at_any_byte(run: Callable[[Any], Any]) -> None:
    cuts = iter(range(1, len(REPLIES)))

    def answer(connection: socket.socket) -> None:
        cut = next(cuts)
        connection.sendall(REPLIES[:cut])
        connection.sendall(REPLIES[cut:])

    async def scenario(port: int) -> None:
        for _ in range(1, len(REPLIES)):
            first, second, third, fourth = await ask(port, 4)
            assert (first, third, fourth) == ([b"a\r\nb\r", 7], None, [[1, b""]])
            assert isinstance(second, ResponseError)

    with peer(answer) as port:
        run(scenario(port))


def test_a_connection_that_ends_within_a_reply_fails_all_that_wait() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(REPLIES[:-3])
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):  # to close on what was not read would take back what was sent
            pass

    with peer(answer) as port:
        replies = asyncio.run(ask(port, 5))
    assert replies[0] == [b"a\r\nb\r", 7]
    assert [type(reply) for reply in replies[3:]] == [ConnectionError] * 2


def test_a_peer_that_speaks_something_else_is_a_fault() -> None:
    with peer(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        replies = asyncio.run(ask(port, 2))
    assert all(isinstance(reply, Exception) and not isinstance(reply, PASSING) for reply in replies)
