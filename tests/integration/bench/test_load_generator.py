"""The benchmark's load generator notices what should not be."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from tests.bench import load, questions
from tests.bench.load import Failed, Load, Protocol

Answer = Callable[[ServerConnection, int, str], None]  # the socket, how many messages came before, the message


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        load.build()
    except load.NoCompiler as error:
        pytest.skip(str(error))
    return questions.write(tmp_path_factory.mktemp("load") / "questions.txt", 200)


@contextmanager
def serving(answer: Answer, *, v1: bool = False) -> Iterator[int]:
    """The port of a WebSocket server that answers like this."""

    def handle(socket: ServerConnection) -> None:
        if v1:
            socket.send('{"jsonrpc":"2.0","method":"session","params":{"offset":"0"}}')
        for count, message in enumerate(socket):
            answer(socket, count, str(message))

    with serve(handle, "127.0.0.1", 0, compression=None, subprotocols=["primes.v1"] if v1 else None) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join(10)


def sentence(message: str) -> str:
    return "is a prime number" if questions.is_prime(int(message)) else "is not a prime number"


def response(message: str, number: int, **changes: Any) -> str:
    request = json.loads(message)
    verdict = "prime" if questions.is_prime(int(request["params"]["number"])) else "composite"
    result = {"verdict": verdict, "method": '"}] any \\" text', "evidence": {"offset": [1, {}]}, "offset": f"17-{number + 1}"}
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result | changes})


def ask(port: int, asked: Path, protocol: Protocol = "plain", patience: int = 60) -> load.Run:
    with Load(port, 3, asked, protocol=protocol, patience=patience) as clients:
        return clients.closed(3, 4, 5, 300)


def test_right_answers_are_counted_and_timed(asked: Path) -> None:
    with serving(lambda socket, _, message: socket.send(sentence(message))) as port:
        run = ask(port, asked)
    assert (run.sent, run.answered, run.wrong, run.missing) == (300, 300, 0, 0)
    assert sum(count for _, count in run.histogram) == sum(count for count, _, _ in run.clients) == 300


def test_right_answers_of_primes_v1_may_come_in_any_order(asked: Path) -> None:
    held: dict[ServerConnection, list[str]] = {}

    def answer(socket: ServerConnection, count: int, message: str) -> None:
        waiting = held.setdefault(socket, [])
        waiting.append(message)
        if len(waiting) == 4:
            for place, told in enumerate(reversed(waiting)):
                socket.send(response(told, count + place))
            waiting.clear()

    with serving(answer, v1=True) as port, Load(port, 3, asked, protocol="v1") as clients:
        assert [clients.closed(3, 4, 0).answered for _ in range(5)] == [12] * 5


def test_a_fixed_rate_is_kept_and_counts_from_the_time_to_ask(asked: Path) -> None:
    with serving(lambda socket, _, message: socket.send(sentence(message))) as port, Load(port, 2, asked) as clients:
        run = clients.open(2, 500, 0.2)
    assert run.sent == run.answered == 100
    assert run.seconds > 0.19


def wrong_once(socket: ServerConnection, count: int, message: str) -> None:
    told = sentence(message)
    socket.send(told if count != 20 else {"is a prime number": "is not a prime number"}.get(told, "is a prime number"))


def silent_once(socket: ServerConnection, count: int, message: str) -> None:
    if count < 90:
        socket.send(sentence(message))


def twice_at_the_end(socket: ServerConnection, count: int, message: str) -> None:
    told = sentence(message).encode()
    frame = bytes((0x81, len(told))) + told
    socket.socket.sendall(frame * (1 + (count == 99)))  # both in one write: after the last answer nobody listens for long


def closed_early(socket: ServerConnection, count: int, message: str) -> None:
    socket.send(sentence(message)) if count < 20 else socket.close()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (wrong_once, r"[1-9]\d* are wrong \(\d+ is"),
        (silent_once, r"[1-9]\d* missing"),
        (twice_at_the_end, r"an answer that nobody asked for"),
        (closed_early, r"[1-9] sockets were closed"),
    ],
)
def test_a_plain_server_that_misbehaves_is_noticed(asked: Path, answer: Answer, complaint: str) -> None:
    patience = 2 if answer is silent_once else 60  # seconds; the others say at once what is wrong
    with serving(answer) as port, pytest.raises(Failed, match=complaint), Load(port, 1, asked, patience=patience) as clients:
        clients.closed(1, 4, 2, 100)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"verdict": "unknown"}, "is(?: not)? a prime number, got"),
        ({"offset": "17-1"}, "an offset that does not grow"),
        ({"offset": 9}, "an offset"),
    ],
)
def test_a_wrong_response_of_primes_v1_is_noticed(asked: Path, changes: dict[str, Any], complaint: str) -> None:
    def answer(socket: ServerConnection, count: int, message: str) -> None:
        socket.send(response(message, count, **(changes if count == 50 else {})))

    with serving(answer, v1=True) as port, pytest.raises(Failed, match=complaint):
        ask(port, asked, "v1")


def test_an_answer_to_another_id_is_noticed(asked: Path) -> None:
    def answer(socket: ServerConnection, count: int, message: str) -> None:
        request = json.loads(message)
        socket.send(response(json.dumps(request | {"id": request["id"] + 4096 * (count == 50)}), count))

    with serving(answer, v1=True) as port, pytest.raises(Failed, match="an answer that nobody waits for"):
        ask(port, asked, "v1", patience=2)  # seconds, which pass: the one that it was for is waited for


def test_a_server_that_lacks_the_subprotocol_is_noticed(asked: Path) -> None:
    with serving(lambda socket, _, message: None) as port, pytest.raises(Failed, match=r"expected the subprotocol primes\.v1"):
        ask(port, asked, "v1")
