"""The lean WebSocket against Tornado's own: the same bytes give the same callbacks, the same replies and the same end."""

import asyncio
import contextlib
import itertools
import logging
import re
import resource
import socket
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol13

from services.web.shares import BYTE, Shares
from services.web.sockets import frames, lean
from services.web.sockets.lean import MOST_FRAMES, LeanHandler, LeanProtocol
from tests.unit.web.sockets.rfc6455 import BINARY, CLOSE, MASK, PING, PONG, TEXT, frame

MOST_MESSAGE = 70_000  # bytes
SECONDS = 20  # a bound for what takes milliseconds

Told = list[tuple[Any, ...]]


opened: list["Telling"] = []  # until their client took them


@dataclass(frozen=True)
class Replies:
    """What came back until the end. A reset destroys what is under way; it comes of a close before everything was read."""

    read: bytes
    reset: bool

    def agrees(self, other: "Replies") -> bool:
        if self.reset or other.reset:
            return self.read.startswith(other.read) or other.read.startswith(self.read)
        return self.read == other.read


class Telling(WebSocketHandler):
    """Writes down what it is told; what it does then, its client says."""

    told: Told
    closed: asyncio.Event

    def initialize(self, most: int = MOST_MESSAGE, deflate: bool = False, compressed: bool = False) -> None:
        self._most, self._deflate, self._compressed = most, deflate, compressed
        self.told, self.closed, self.flushes = [], asyncio.Event(), 0

    @property
    def max_message_size(self) -> int:
        return self._most

    def get_compression_options(self) -> dict[str, Any] | None:
        return {} if self._deflate else None

    def open(self, *_: str, **__: str) -> None:
        opened.append(self)
        self.reply("hello")

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        self.told.append(("message", message))
        self.reply(message)
        if message == "fail":
            raise ValueError("as the client wished")
        if message == "bye":
            self.close(4000, "as you wish")
        return self.rest() if message == "rest" else None

    def on_ping(self, data: bytes) -> None:
        self.told.append(("ping", data))

    def on_pong(self, data: bytes) -> None:
        self.told.append(("pong", data))

    def on_close(self) -> None:
        self.told.append(("close", self.close_code, self.close_reason))
        self.closed.set()

    def on_flushed(self) -> None:
        self.flushes += 1

    async def rest(self) -> None:
        await turns(5)
        self.told.append(("rested",))

    def reply(self, message: str | bytes) -> None:
        try:
            self.say(message.encode() if isinstance(message, str) else message)
        except WebSocketClosedError:
            self.told.append(("refused",))

    def say(self, message: bytes) -> None:
        raise NotImplementedError

    def log_exception(self, *_: object) -> None:
        self.told.append(("exception",))


class Stock(Telling):
    """On Tornado's own protocol."""

    def say(self, message: bytes) -> None:
        self.write_message(message).add_done_callback(lambda write: write.exception())


class Lean(Telling, LeanHandler):
    """On ours."""

    @property
    def deflates(self) -> bool:
        return self._compressed

    def say(self, message: bytes) -> None:
        self.send(message)


class Shared(Lean):
    """Of a client that is named in its path."""

    def initialize(self, most: int = MOST_MESSAGE, deflate: bool = False, compressed: bool = False) -> None:
        super().initialize(most, deflate, compressed)
        self.share = SHARES[-1].get(self.request.path)


class Costly(Lean):
    """Each message takes a second of the process, as far as it says."""

    turn = 0  # of the loop, which a test counts

    def on_message(self, message: str | bytes) -> None:
        self.told.append(("turn", Costly.turn))
        self.spend(time.thread_time() - 1.0)


SHARES: list[Shares] = []  # of the test that runs

ROUTES: list[Any] = [
    (f"/{name}/{kind.__name__}", kind, arguments)
    for kind in (Stock, Lean)
    for name, arguments in {
        "plain": {},
        "small": {"most": 200},
        "deflate": {"deflate": True},
        "compressed": {"compressed": True},
    }.items()
]
ROUTES += [(r"/of/.*", Shared), (r"/costly", Costly)]


async def turns(count: int) -> None:
    """Let others have so many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


class Site:
    """A server, and the loop in which it and its clients live."""

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._runner = asyncio.Runner(loop_factory=loop_factory)
        self.run = self._runner.run
        self.accepted: Callable[[], object] = lambda: None  # called when the server has accepted a client that asked nothing yet
        self.run(self._start())

    async def _start(self) -> None:
        [listening] = bind_sockets(0, "127.0.0.1")
        self.address = listening.getsockname()
        self._server = HTTPServer(Application(ROUTES, log_function=lambda handler: None))
        self._server.add_socket(listening)

    def close(self) -> None:
        self._server.stop()
        self._runner.close()

    @contextlib.asynccontextmanager
    async def client(self, path: str, *headers: str, first: bytes = b"") -> AsyncIterator[tuple[socket.socket, Telling]]:
        """A socket of which the handshake is done, and its handler; `first` is sent in one piece with the request."""
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, self.address)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await turns(5)
            self.accepted()
            lines = (
                f"GET {path} HTTP/1.1",
                "Host: here",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
                *headers,
            )
            await loop.sock_sendall(client, "\r\n".join([*lines, "", ""]).encode() + first)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += await loop.sock_recv(client, 1)
            assert answer.startswith(b"HTTP/1.1 101 ")
            yield client, opened.pop()

    async def converse(self, path: str, chunks: list[bytes], *headers: str) -> tuple[Told, Replies]:
        """Send these, one by one, then no more; returns what the handler was told and what came back."""
        async with asyncio.timeout(SECONDS), self.client(path, *headers) as (client, handler):
            replies, _ = await asyncio.gather(received(client), sent(client, chunks))
            await handler.closed.wait()
        return handler.told, replies


async def sent(client: socket.socket, chunks: list[bytes]) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        for chunk in chunks:
            await asyncio.get_running_loop().sock_sendall(client, chunk)
            await turns(3)  # so that it is read before the next comes
        client.shutdown(socket.SHUT_WR)


async def received(client: socket.socket) -> Replies:
    """All until the end."""
    read = b""
    try:
        while part := await asyncio.get_running_loop().sock_recv(client, 1 << 16):
            read += part
    except ConnectionError:
        return Replies(read, reset=True)
    return Replies(read, reset=False)


async def until(condition: Callable[[], bool]) -> None:
    """Look in every turn of the loop whether it is so."""
    while not condition():  # noqa: ASYNC110 - what is looked at belongs to the parts under test, which set no events
        await asyncio.sleep(0)


@pytest.fixture(scope="module", params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site(request.param)
    yield site
    site.close()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="tornado")


VIOLATION = re.compile(rb"\x88.\x03[\xea\xef\xf1]", re.DOTALL)  # a close frame with 1002, 1007 or 1009


BYE = "message", "bye"  # at which the handler closes


def both(site: Site, name: str, chunks: list[bytes], *headers: str) -> tuple[Told, Replies]:
    """What the lean protocol makes of these bytes, once Tornado's own made the same of them, up to a violation."""
    told, replies = site.run(site.converse(f"/{name}/Stock", chunks, *headers))
    lean_told, lean_replies = site.run(site.converse(f"/{name}/Lean", chunks, *headers))
    if violation := VIOLATION.search(lean_replies.read):
        assert lean_told[:-1] == told[: len(lean_told) - 1]
        before = Replies(lean_replies.read[: violation.start()], reset=True)
        assert before.agrees(replies)
    elif BYE in lean_told and lean_told != told:  # broken after the handler's own close frame, which no second one follows
        assert lean_told[:-1] == told[: len(lean_told) - 1]
        assert replies.read.startswith(lean_replies.read)
    else:
        assert lean_told == told
        assert lean_replies.agrees(replies)
    return lean_told, lean_replies


def split(read: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % len(read) for cut in cuts} - {0}), len(read)] if read else [0, 0]
    return [read[a:b] for a, b in itertools.pairwise(edges)]


PAYLOADS = st.one_of(
    st.integers(-(10**30), 10**30).map(lambda number: str(number).encode()),
    st.sampled_from([b"", b"rest", b"fail", b"bye", "née".encode(), b"\xff", b"\xed\xa0\x80"]),
    st.sampled_from([124, 125, 126, 127, 199, 200, 201, 65535, 65536, MOST_MESSAGE, MOST_MESSAGE + 1]).map(
        lambda size: b"7" * size
    ),
)
SMALL = st.binary(max_size=125)
CLOSES = st.one_of(
    st.just(b""),
    st.binary(min_size=1, max_size=3),
    st.tuples(st.sampled_from([0, 999, 1000, 1001, 1005, 1006, 1012, 2999, 3000, 4000, 65535]), st.sampled_from(["", "née"])).map(
        lambda close: close[0].to_bytes(2) + close[1].encode()
    ),
)
MASKS = st.one_of(st.just(MASK), st.binary(min_size=4, max_size=4))
GOOD = st.one_of(
    *[st.builds(frame, PAYLOADS, mask=MASKS)] * 5,
    st.builds(frame, st.integers(0, 10**18).map(lambda number: str(number).encode()), mask=MASKS, form=st.sampled_from([16, 64])),
    st.builds(frame, PAYLOADS, opcode=st.just(BINARY)),
    st.builds(frame, SMALL, opcode=st.sampled_from([PING, PONG]), mask=MASKS),
    st.lists(SMALL, min_size=1, max_size=4).map(
        lambda parts: b"".join(
            frame(part, opcode=0 if number else TEXT, final=number == len(parts) - 1) + frame(b"!", opcode=PING)
            for number, part in enumerate(parts)
        )
    ),
)
BAD = st.one_of(
    st.builds(frame, CLOSES, opcode=st.just(CLOSE)),
    st.builds(
        frame,
        st.one_of(PAYLOADS, SMALL),
        opcode=st.integers(0, 15),
        final=st.booleans(),
        reserved=st.sampled_from([0, 0, 0x10, 0x20, 0x40, 0x70]),
        mask=st.one_of(st.none(), MASKS),
        form=st.sampled_from([0, 0, 64]),
    ),
    st.binary(max_size=20),
)


@given(
    st.sampled_from(["plain", "plain", "small"]),
    st.lists(GOOD, max_size=8),
    st.lists(st.one_of(BAD, GOOD), max_size=3),
    st.lists(st.integers(0, 1 << 20), max_size=12),
)
def test_the_same_bytes_have_the_same_effects(site: Site, name: str, good: list[bytes], bad: list[bytes], cuts: list[int]) -> None:
    both(site, name, split(b"".join(good + bad), cuts))


@pytest.mark.parametrize(
    ("read", "messages"),
    [
        (frame(b"97") + frame(b"\xff") + frame(b"91"), ["97"]),
        (frame(b"97") + frame(b"fail") + frame(b"91"), ["97", "fail"]),
        (frame(b"97") + frame(b"91", reserved=0x40), ["97"]),
        (frame(b"97") + frame(b"91", opcode=3) + frame(b"91"), ["97"]),
        (frame(b"9", final=False) + frame(b"97") + frame(b"1", opcode=0), []),
        (frame(b"1", opcode=0) + frame(b"97"), []),
        (frame(b"97") + frame(b"\x03", opcode=CLOSE) + frame(b"91"), ["97"]),
        (frame(b"97") + frame(b"bye") + frame(b"91"), ["97", "bye", "91"]),
        (frame(b"97") + frame(b"91", mask=None), ["97"]),
    ],
)
def test_what_came_before_a_bad_frame_is_answered(site: Site, read: bytes, messages: list[str]) -> None:
    told, replies = both(site, "plain", [read])
    assert [event[1] for event in told if event[0] == "message"] == messages
    assert replies.read.startswith(frames.text(b"hello") + b"".join(frames.text(text.encode()) for text in messages[:2]))


def test_what_is_broken_after_our_close_frame_ends_the_socket_without_another(site: Site) -> None:
    told, replies = both(site, "plain", [frame(b"bye") + frame(b"\x80", final=False) + frame(b"!", opcode=PING)])
    assert told[0] == BYE
    assert VIOLATION.search(replies.read) is None


def test_frames_may_be_cut_anywhere(site: Site) -> None:
    parts = [
        frame(b"97"),
        frame(b"9" * 126),
        frame(b"!", opcode=PING),
        frame(b"9", final=False),
        frame(b"?", opcode=PONG),
        frame(b"1", opcode=0),
        frame(b"rest"),
        frame(b"91"),
        frame(b"\x03\xe8bye", opcode=CLOSE),
        b"rest",
    ]
    read = b"".join(parts)
    whole = both(site, "plain", [read])
    assert [event[0] for event in whole[0]] == [
        "message",
        "message",
        "ping",
        "pong",
        "message",
        "message",
        "rested",
        "message",
        "close",
    ]
    for chunks in [read[at : at + 1] for at in range(len(read))], *([read[:at], read[at:]] for at in range(1, len(read), 7)):
        told, replies = both(site, "plain", chunks)
        assert told == whole[0]
        assert replies.agrees(whole[1])  # what comes after the close frame may be a reset


def test_a_socket_for_which_no_descriptor_is_free_is_tornados(site: Site) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def scarce() -> Told:
        async with asyncio.timeout(SECONDS), site.client("/plain/Lean", first=frame(b"97")) as (client, handler):
            assert isinstance(handler.ws_connection, LeanProtocol)
            assert isinstance(handler.ws_connection.stream, IOStream)
            client.shutdown(socket.SHUT_WR)
            await handler.closed.wait()
        return handler.told

    try:
        site.accepted = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        assert site.run(scarce()) == [("message", "97"), ("close", None, None)]
    finally:
        site.accepted = lambda: None
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("kind", ["Stock", "Lean"])
def test_frames_that_came_with_the_handshake_are_heard(site: Site, kind: str) -> None:
    async def ask() -> Told:
        async with (
            asyncio.timeout(SECONDS),
            site.client(f"/plain/{kind}", first=frame(b"97") + frame(b"91")[:3]) as (client, handler),
        ):
            client.send(frame(b"91")[3:])
            client.shutdown(socket.SHUT_WR)
            await handler.closed.wait()
        return handler.told

    assert site.run(ask()) == [("message", "97"), ("message", "91"), ("close", None, None)]


def test_messages_wait_for_the_one_before_that_rests(site: Site) -> None:
    told, _ = both(site, "plain", [frame(b"1") + frame(b"rest") + frame(b"2"), frame(b"3"), frame(b"rest") + frame(b"4")])
    assert told == [
        ("message", "1"),
        ("message", "rest"),
        ("rested",),
        ("message", "2"),
        ("message", "3"),
        ("message", "rest"),
        ("rested",),
        ("message", "4"),
        ("close", None, None),
    ]


@pytest.mark.parametrize(("size", "code"), [(MOST_MESSAGE, b""), (MOST_MESSAGE + 1, b"\x03\xf1message too big")])
def test_a_message_that_is_too_large_ends_with_1009_before_it_came(site: Site, size: int, code: bytes) -> None:
    _, replies = both(site, "plain", [frame(b"97"), frame(b"7" * size)[:20]])
    assert replies.read.endswith(code or frames.text(b"97"))


def test_a_compressed_socket_is_tornados(site: Site) -> None:
    deflate = zlib.compressobj(wbits=-15)
    texts = [(b"97" * 300), b"rest", b"91"]
    packed = [(deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4] for text in texts]
    read = frame(b"5") + b"".join(frame(text, reserved=0x40) for text in packed)
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    told, _ = both(site, "deflate", split(read, [3, 50, 60]), offer)
    assert [event[1] for event in told if event[0] == "message"] == ["5", *(text.decode() for text in texts)]
    assert both(site, "deflate", [frame(b"5")])[0][0] == ("message", "5")  # nothing offered, nothing packed


def test_a_flood_of_one_client_does_not_hold_up_another(site: Site) -> None:
    async def flood() -> list[str]:
        order: list[str] = []
        async with (
            asyncio.timeout(SECONDS),
            site.client("/plain/Lean") as (busy, crowd),
            site.client("/plain/Lean") as (idle, lone),
        ):
            crowd.on_message = lambda message: order.append("busy")  # type: ignore[method-assign]
            lone.on_message = lambda message: order.append("idle")  # type: ignore[method-assign]
            await turns(10)
            assert busy.send(frame(b"97") * 4_000) == 4_000 * 8
            idle.send(frame(b"91"))
            await until(lambda: len(order) == 4_001)
        return order

    assert site.run(flood()).index("idle") <= 2 * MOST_FRAMES


def test_a_flood_of_pings_does_not_hold_up_another(site: Site) -> None:
    async def flood() -> list[str]:
        order: list[str] = []
        async with (
            asyncio.timeout(SECONDS),
            site.client("/plain/Lean") as (busy, crowd),
            site.client("/plain/Lean") as (idle, lone),
        ):
            crowd.on_ping = lambda data: order.append("busy")  # type: ignore[method-assign]
            lone.on_message = lambda message: order.append("idle")  # type: ignore[method-assign]
            await turns(10)
            assert busy.send(frame(b"", opcode=PING) * 4_000) == 4_000 * 6
            idle.send(frame(b"91"))
            await until(lambda: len(order) == 4_001)
        return order

    assert site.run(flood()).index("idle") <= 2 * MOST_FRAMES


def test_a_message_in_many_parts_does_not_hold_up_another(site: Site) -> None:
    async def flood() -> int:
        parts = []
        async with (
            asyncio.timeout(SECONDS),
            site.client("/plain/Lean") as (busy, crowd),
            site.client("/plain/Lean") as (idle, lone),
        ):
            protocol = crowd.ws_connection
            assert isinstance(protocol, LeanProtocol)
            lone.on_message = lambda message: parts.append(len(protocol._parts or b""))  # type: ignore[method-assign]
            await turns(10)
            busy.send(frame(b"7", final=False) + frame(b"7", opcode=0, final=False) * 4_000)
            idle.send(frame(b"91"))
            await until(lambda: bool(parts))
        return parts[0]

    assert site.run(flood()) <= 2 * MOST_FRAMES


@pytest.mark.parametrize("lacks", [None, "_a_name_that_went_away"])
def test_what_a_client_does_not_read_is_counted_until_it_does(
    site: Site, monkeypatch: pytest.MonkeyPatch, lacks: str | None
) -> None:
    if lacks is not None:
        monkeypatch.setitem(lean.METHODS, WebSocketProtocol13, (lacks,))

    async def stall() -> tuple[int, int, int]:
        async with asyncio.timeout(SECONDS), site.client("/plain/Lean") as (client, handler):
            assert isinstance(handler, Lean)
            while not handler.queued:
                handler.send(b"7" * MOST_MESSAGE)
                await turns(5)
            stuck, before = handler.queued, handler.flushes
            reading = asyncio.create_task(received(client))
            await until(lambda: not handler.queued)
            await turns(5)
            handler.close()
            reading.cancel()
            return stuck, before, handler.flushes

    stuck, before, after = site.run(stall())
    assert stuck > 0
    assert after > before


def test_who_waits_for_room_is_told_when_the_client_is_gone(site: Site) -> None:
    async def vanish() -> None:
        async with asyncio.timeout(SECONDS):
            async with site.client("/plain/Lean") as (_, handler):
                assert isinstance(handler, Lean)
                while not handler.queued:
                    handler.send(b"7" * MOST_MESSAGE)
                    await turns(5)
                before = handler.flushes
            await handler.closed.wait()
            await until(lambda: handler.flushes > before)
            with pytest.raises(WebSocketClosedError):
                handler.send(b"late")

    site.run(vanish())


def test_what_is_sent_in_one_turn_is_one_write(site: Site) -> None:
    async def burst() -> int:
        async with asyncio.timeout(SECONDS), site.client("/plain/Lean") as (client, handler):
            await until(lambda: handler.flushes > 0)
            before = handler.flushes
            client.send(frame(b"97") * 20)
            await until(lambda: len(handler.told) == 20)
            await turns(2)
            return handler.flushes - before

    assert site.run(burst()) == 1


@pytest.mark.parametrize("names", [(), ("_a_name_that_went_away",)])
def test_what_is_sent_now_follows_what_was_sent(site: Site, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    monkeypatch.setitem(lean.METHODS, WebSocketProtocol13, names)
    lean.tell_once.cache_clear()
    expected = b"".join(map(frames.text, (b"hello", b"1", b"2", b"3", b"4")))

    async def send() -> bytes:
        async with asyncio.timeout(SECONDS), site.client("/plain/Lean") as (client, handler):
            await until(lambda: handler.flushes > 0)
            assert isinstance(handler, Lean)
            handler.send(b"1", b"2")
            handler.send_now(b"3", b"4")
            read = b""
            while len(read) < len(expected):
                read += await asyncio.get_running_loop().sock_recv(client, 1_000)
            return read

    assert site.run(send()).endswith(expected)


def test_without_one_of_its_names_it_is_tornado_as_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def protocol() -> type:
        async with site.client("/plain/Lean") as (_, handler):
            return type(handler.ws_connection)

    caplog.set_level(logging.WARNING, logger=lean.__name__)
    assert site.run(protocol()) is LeanProtocol
    monkeypatch.setitem(lean.METHODS, WebSocketProtocol13, ("_a_name_that_went_away",))
    lean.tell_once.cache_clear()
    assert site.run(protocol()) is WebSocketProtocol13
    told, _ = both(site, "plain", [frame(b"97") + frame(b"!", opcode=PING), frame(b"bye"), frame(b"\x0f\xa0", opcode=CLOSE)])
    assert told == [("message", "97"), ("ping", b"!"), ("message", "bye"), ("close", 4000, None)]
    assert [record.message for record in caplog.records if "_a_name_that_went_away" in record.message] == [
        "sockets cost about four times as much CPU: Tornado 6.6.1 lacks WebSocketProtocol13._a_name_that_went_away"
    ]


def test_a_client_that_had_its_share_is_read_no_further_while_others_are_served(site: Site) -> None:
    site.run(share_out(site))


def test_between_messages_that_take_long_others_have_their_turn(site: Site) -> None:
    site.run(take_turns(site))


async def take_turns(site: Site) -> None:
    async def count() -> None:
        while True:
            Costly.turn += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async with asyncio.timeout(SECONDS), site.client("/costly") as (client, handler):
        await asyncio.get_running_loop().sock_sendall(client, frame(b"97") * 5)
        await until(lambda: len(handler.told) == 5)
        client.shutdown(socket.SHUT_WR)
        await handler.closed.wait()
    counting.cancel()
    assert len({turn for _, turn in handler.told[:5]}) == 5


MANY = 5_000  # messages: twice what a client may send before its share counts


def out_of_turn(handler: Telling) -> bool:
    assert isinstance(handler, Shared)
    return handler.held and handler.share.left <= 0


async def share_out(site: Site) -> None:
    SHARES.append(Shares(1e-9))
    async with asyncio.timeout(SECONDS), site.client("/of/many") as (many, handler), site.client("/of/few") as (few, other):
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(loop.sock_sendall(many, frame(b"97") * MANY))
        reading = asyncio.create_task(received(many))
        while not out_of_turn(handler):  # the other one asks now and then
            await loop.sock_sendall(few, frame(b"91"))
            await turns(3)
        heard = len(handler.told)
        assert heard < MANY
        before = len(other.told)
        for _ in range(10):
            await loop.sock_sendall(few, frame(b"91"))
        await until(lambda: len(other.told) == before + 10)
        assert len(handler.told) == heard
        SHARES[-1].lift()
        await until(lambda: len(handler.told) == MANY)
        await sending
        many.shutdown(socket.SHUT_WR)
        few.shutdown(socket.SHUT_WR)
        await reading
        await asyncio.gather(handler.closed.wait(), other.closed.wait())


def test_what_a_client_left_behind_that_waits_for_its_turn_is_not_taken(site: Site) -> None:
    site.run(leave_behind(site))


async def leave_behind(site: Site) -> None:
    SHARES.append(Shares(1e-9))
    async with asyncio.timeout(SECONDS), site.client("/of/few") as (few, other):
        loop = asyncio.get_running_loop()
        async with site.client("/of/many") as (many, handler):
            sending = asyncio.create_task(loop.sock_sendall(many, frame(b"97") * MANY))
            while not out_of_turn(handler):
                await loop.sock_sendall(few, frame(b"91"))
                await turns(3)
            sending.cancel()
        heard = len(handler.told)
        assert not handler.closed.is_set()
        SHARES[-1].lift()
        await handler.closed.wait()
        assert [event[0] for event in handler.told[heard:]] == ["close"]
        few.shutdown(socket.SHUT_WR)
        await other.closed.wait()


def test_bytes_of_a_message_in_parts_count_of_its_client_share(site: Site) -> None:
    site.run(send_parts(site))


async def send_parts(site: Site) -> None:
    SHARES.append(Shares(1e-9))
    async with asyncio.timeout(SECONDS), site.client("/of/one") as (client, handler):
        assert isinstance(handler, Shared)
        before = handler.share.left
        parts = frame(b"7" * 30_000, final=False) + frame(b"7" * 30_000, opcode=0)
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(client, parts))
        reading = asyncio.create_task(received(client))
        await until(lambda: ("message", "7" * 60_000) in handler.told)
        assert before - handler.share.left >= 60_000 * BYTE
        await sending
        client.shutdown(socket.SHUT_WR)
        await reading
        await handler.closed.wait()
