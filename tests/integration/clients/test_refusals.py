"""Both reference clients before a server that closes the socket over some messages, or always, and cannot read others."""

import asyncio
import json
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from clients.primes import Client, PrimesError, Waiting
from tests.integration.clients.test_reference_clients import CLIENTS, NODE, ROOT
from tests.integration.conftest import Whole
from tests.integration.processes import killed_at_last

LARGEST = 1_000  # bytes of a message; ours takes so much more that the clients send nothing that is too large for it
LONG, UNREADABLE, STRANGE = "9" * 2_000, "unreadable", "strange"
OTHERS = [str(number) for number in range(2, 302)]  # more than are asked at once


class Narrow:
    """A server of primes.v1 that closes with 1009 over far shorter messages than ours; that loses ids; or that takes nobody.

    `closes`: the code with which it closes every connection.
    """

    def __init__(self, *, closes: int | None = None) -> None:
        self.connections = 0
        self.asked: Counter[str] = Counter()  # by number
        self.url = ""
        self._closes = closes
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> "Narrow":
        self._thread.start()
        assert self._ready.wait(10), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        options = {"max_size": LARGEST, "compression": None, "close_timeout": 1, "subprotocols": [Subprotocol("primes.v1")]}
        async with serve(self._answer, "127.0.0.1", 0, **options) as server:  # type: ignore[arg-type]  # of several types
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/chatsocket"
            self._ready.set()
            await self._end.wait()

    async def _answer(self, socket: ServerConnection) -> None:
        self.connections += 1
        if self._closes:
            return await socket.close(self._closes, "not you")
        session = {"session": f"s{self.connections}", "offset": "0", "expires_in": 600, "instance": "narrow"}
        await socket.send(json.dumps({"jsonrpc": "2.0", "method": "session", "params": session}))
        async for message in socket:
            response = self._respond(json.loads(message), session)
            await socket.send(json.dumps({"jsonrpc": "2.0"} | response if isinstance(response, dict) else response))

    def _respond(self, asked: dict[str, object], session: dict[str, object]) -> dict[str, object] | list[int]:
        match asked:
            case {"method": "resume"}:
                return {"id": asked["id"], "result": {**session, "recovered": False, "pending": []}}
            case {"method": "cancel"}:
                return {"id": asked["id"], "result": {"cancelled": False}}
            case {"params": {"number": str(number)}}:
                self.asked[number] += 1
                if number == STRANGE:
                    return [7]
                if number == UNREADABLE:
                    error = {"code": -32700, "message": "Expected JSON", "data": {"code": "parse_error", "retryable": False}}
                    return {"id": None, "error": error}
        result = {"verdict": "composite", "proven": True, "method": "none", "queue_ms": 0, "compute_ms": 0}
        return {"id": asked["id"], "result": result}


@pytest.fixture
def narrow() -> Iterator[Narrow]:
    with Narrow() as server:
        yield server


def ask(client: str, url: str, numbers: list[str]) -> dict[str, str]:
    """The verdict, or the code of the error, by number."""
    command = [word.format(url=url, window=200) for word in CLIENTS[client]]
    done = subprocess.run(command, input="\n".join(numbers), capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    told = [one for one in map(json.loads, done.stdout.splitlines()) if "number" in one]
    assert Counter(one["number"] for one in told) == Counter(numbers), done.stderr
    return {one["number"]: one["error"]["code"] if "error" in one else one["verdict"] for one in told}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_question_over_which_the_socket_is_closed_fails_and_all_others_are_answered(narrow: Narrow, client: str) -> None:
    told = ask(client, narrow.url, [*OTHERS[:150], LONG, *OTHERS[150:]])
    assert told == dict.fromkeys(OTHERS, "composite") | {LONG: "too_large"}
    assert narrow.connections == 3  # asked with others, asked alone, and the rest


@pytest.mark.parametrize("client", CLIENTS)
def test_a_question_whose_error_names_none_fails_and_all_others_are_answered(narrow: Narrow, client: str) -> None:
    told = ask(client, narrow.url, [*OTHERS[:150], UNREADABLE, *OTHERS[150:]])
    assert told == dict.fromkeys(OTHERS, "composite") | {UNREADABLE: "parse_error"}
    assert (narrow.connections, narrow.asked[UNREADABLE]) == (1, 2)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_closes_every_connection_over_its_client_is_tried_three_times(client: str) -> None:
    with Narrow(closes=1008) as server:
        assert ask(client, server.url, ["97"]) == {"97": "refused"}
    assert server.connections == 3


def waits_in_python(url: str) -> list[float]:
    """Seconds until the first four attempts to come back."""

    async def scenario() -> list[float]:
        waits: list[float] = []
        heard = asyncio.Event()

        def hear(notice: object) -> None:
            if isinstance(notice, Waiting):
                waits.append(notice.seconds)
                if len(waits) == 4:
                    heard.set()

        async with Client(url, notice=hear), asyncio.timeout(60):
            await heard.wait()
        return waits

    return asyncio.run(scenario())


def waits_in_javascript(url: str) -> list[float]:
    program = """
        import { Client } from "./nginx/static/client.js";
        const client = new Client(process.argv[1]);
        const waits = [];
        client.addEventListener("state", () => {
          if (client.state.name !== "waiting") return;
          waits.push((client.state.until - Date.now()) / 1_000);
          if (waits.length < 4) return;
          console.log(JSON.stringify(waits));
          client.close();
        });
    """
    command = [NODE, "--experimental-websocket", "--input-type=module", "--eval", program, url]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    waits: list[float] = json.loads(done.stdout)
    return waits


@pytest.mark.parametrize("waits", [waits_in_python, waits_in_javascript])
def test_a_client_that_is_always_sent_away_comes_back_at_once_the_first_time_only(waits: Callable[[str], list[float]]) -> None:
    with Narrow(closes=1012) as server:
        first, *others = waits(server.url)
    assert first <= 0 < max(others)  # each is drawn from up to 1, 2 and 4 s


def test_the_command_tells_of_a_server_that_says_what_none_should(narrow: Narrow) -> None:
    command = [word.format(url=narrow.url, window=200) for word in CLIENTS["python"]]
    with killed_at_last(subprocess.Popen([*command, STRANGE], cwd=ROOT, stderr=subprocess.PIPE, text=True)) as process:
        assert process.stderr
        said = process.stderr.readline()
    assert re.fullmatch(rf"primes: {narrow.url}: Expected a message of primes.v1, got '\[7\]'; attempt 1 failed, .*\n", said)


def test_a_question_above_the_servers_bound_fails_in_javascript_and_the_others_are_answered(whole: Whole) -> None:
    large = "7" * 2_097_152
    told = ask("javascript", whole.webs[0].url, ["97", large, "2^61-1"])
    assert told == {"97": "prime", large: "too_large", "2^61-1": "prime"}


def test_a_question_above_the_servers_bound_fails_in_python_and_the_others_are_answered(whole: Whole) -> None:
    async def scenario() -> None:
        async with Client(whole.webs[0].url) as client:
            with pytest.raises(PrimesError, match=r"Expected a question of at most 2,097,152 bytes, got 2,097,2\d\d") as caught:
                await client.ask("7" * 2_097_152)
            assert caught.value.code == "too_large"
            assert (await client.ask("97")).verdict == "prime"

    asyncio.run(scenario())


def test_a_message_that_cannot_be_read_is_answered_before_what_came_after_it(whole: Whole) -> None:
    check = {"jsonrpc": "2.0", "id": "1/check", "method": "cancel", "params": {"request": "1/check"}}
    with connect(whole.webs[0].url, subprotocols=[Subprotocol("primes.v1")]) as socket:
        socket.recv()  # the session
        for _ in range(100):
            socket.send('{"jsonrpc": "2.0", "id": 1, "method": "is_prime", "params": {"number": "7"')
            socket.send(json.dumps(check))
        assert [json.loads(socket.recv())["id"] for _ in range(200)] == [None, "1/check"] * 100
