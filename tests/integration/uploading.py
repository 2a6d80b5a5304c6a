"""Clients of `/jobs`: whole uploads, uploads in pieces, lists that are read line by line."""

import contextlib
import http.client
import json
import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import gmpy2

from services.jobs import names
from services.jobs.names import Lane
from tests.integration.redis_server import RedisServer
from tests.integration.stack import Response
from tests.integration.waiting import wait_until

PATIENCE = 120  # seconds until a silent server counts as one that will not answer

OURS = "127.0.0.1"  # as all of 127.0.0.0/8 is

TEXT = {"Content-Type": "text/plain"}


def post(
    port: int, body: bytes | Iterator[bytes], headers: Mapping[str, str] | None = None, address: str = OURS, path: str = "/jobs"
) -> Response:
    """One upload from this address and everything that it is answered."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(address, 0))
    ) as connection:
        connection.request("POST", path, body, {**TEXT, **(headers or {})})
        response = connection.getresponse()
        return Response(response.status, dict(response.headers), response.read())


@contextlib.contextmanager
def posting(port: int, body: bytes | Iterator[bytes], headers: Mapping[str, str] | None = None) -> Iterator[Future[Response]]:
    """An upload in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(post, port, body, headers)


class Sender:
    """An upload whose body is sent piece by piece; it never has an end of its own accord."""

    def __init__(self, port: int, length: int | None, address: str = OURS, path: str = "/jobs", **headers: str) -> None:
        """`length` None: the pieces are HTTP's own chunks."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(address, 0))
        self._connection.putrequest("POST", path)
        framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        fields = {**TEXT, **framing, **{name.replace("_", "-"): value for name, value in headers.items()}}
        for name, value in fields.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, piece: bytes) -> None:
        self._connection.send(piece)

    def finish(self) -> Response:
        """The answer."""
        response = self._connection.getresponse()
        return Response(response.status, dict(response.headers), response.read())


class SlowReader:
    """A client that has sent its upload and reads when it is told, with a small buffer of its own."""

    def __init__(self, port: int, body: bytes) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(PATIENCE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", port))
        head = f"POST /jobs HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def read_head(self) -> dict[str, str]:
        """Status and headers."""
        headers = {"status": self._file.readline().split()[1].decode()}
        while line := self._file.readline().strip():
            name, _, value = line.partition(b": ")
            headers[name.decode()] = value.decode()
        return headers

    def read_block(self) -> bytes:
        """The next part of the list; empty at its end."""
        size = int(self._file.readline(), 16)
        block = self._file.read(size)
        self._file.readline()
        return block

    def read(self) -> bytes:
        """The rest of the list, as fast as it comes."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return b"".join(iter(self.read_block, b""))


def lines(body: bytes) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [json.loads(line) for line in body.splitlines()]


def numbers(count: int, seed: int, most_bits: int = 64) -> list[str]:
    """Positive integers of all sizes."""
    draw = random.Random(seed)
    return [str(draw.getrandbits(draw.randint(1, most_bits))) for _ in range(count)]


def text(asked: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in asked).encode()


def expected(line: str) -> str:
    """Verdict, or the error's code; empty for a blank line."""
    if not line.strip():
        return ""
    try:
        number = gmpy2.mpz(line)
    except ValueError:
        return "not_an_integer"
    if len(line) > 10_000:
        return "too_large"
    if number < 2:
        return "neither"
    return ("prime" if number < 3 * 10**24 else "probably_prime") if gmpy2.is_prime(number) else "composite"


def check(body: bytes, asked: Sequence[str], after: int = 0) -> None:
    """The list has the right answer to every line after this one, once, in order, and its end."""
    *told, done = lines(body)
    wanted = [(number, verdict) for number, line in enumerate(asked, 1) if (verdict := expected(line)) and number > after]
    got = [(line["line"], line["error"]["code"] if "error" in line else line["verdict"]) for line in told]
    assert got == wanted
    assert done == {"done": True, "lines": len(asked), "answers": sum(bool(expected(line)) for line in asked)}


def uploads(redis: RedisServer) -> list[str]:
    """Keys of all uploads that Redis holds, and of what belongs to them."""
    found = (key.decode() for key in redis.admin.keys("{primes}:upload*"))
    return sorted(key for key in found if key != names.UPLOADS or redis.admin.zcard(key))


def forget(redis: RedisServer) -> None:
    """Delete what tests before this one uploaded."""
    if found := uploads(redis):
        redis.admin.delete(*found)


def upload(redis: RedisServer) -> dict[str, str]:
    """The state of the one upload that Redis holds, with its id, without outcomes."""
    (key,) = wait_until(lambda: [key for key in uploads(redis) if key != names.UPLOADS and ":key:" not in key], "an upload")
    fields = {name.decode(): value for name, value in redis.admin.hgetall(key).items()}
    state = {name: value.decode() for name, value in fields.items() if not name.isdigit()}
    return {"id": key.removeprefix(names.upload("")), **state}


def queued(redis: RedisServer) -> int:
    """Entries in both lanes."""
    return sum(redis.length(lane) for lane in Lane)
