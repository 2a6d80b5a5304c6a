"""Uploads through port 80: streamed in and out by nginx, of the largest size, continued on whatever instance nginx chooses."""

import contextlib
import gzip
import json
import random
import signal
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import gmpy2

from tests.integration.processes import memory
from tests.integration.waiting import wait_until
from tests.system.stack import PORT, WEBS, Stack

LARGEST = 50 << 20  # bytes
ALLOWED = 64 << 20  # bytes that a web process may take above what it takes when it is idle

HEAVY = str(10**182 + 231)  # a prime of 183 digits


@contextlib.contextmanager
def uploading(body: bytes, headers: dict[str, str] | None = None) -> Iterator[HTTPResponse]:
    """The response to an upload, to be read."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=150)
    try:
        connection.request("POST", "/jobs", body, {"Content-Type": "text/plain", **(headers or {})})
        yield connection.getresponse()
    finally:
        connection.close()


def verdict(number: int) -> str:
    return "neither" if number < 2 else "prime" if gmpy2.is_prime(number) else "composite"


class Peak:
    """The most memory that each web process took while the block ran."""

    def __init__(self, stack: Stack) -> None:
        self._pids = [stack.containers(web)[0]["State"]["Pid"] for web in WEBS]
        self.before = [memory(pid) for pid in self._pids]
        self.most = list(self.before)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.most = [max(most, memory(pid)) for most, pid in zip(self.most, self._pids, strict=True)]

    @property
    def growth(self) -> int:
        return max(most - before for most, before in zip(self.most, self.before, strict=True))


def test_50_mb_of_64_bit_integers_are_answered_in_order_and_not_held_in_memory(stack: Stack) -> None:
    draw = random.Random(30)
    numbers: list[int] = []
    size = 0
    while size < LARGEST - 21:
        numbers.append(draw.getrandbits(64))
        size += len(str(numbers[-1])) + 1
    body = "".join(f"{number}\n" for number in numbers).encode()
    with Peak(stack) as peak, uploading(body) as response:
        assert response.status == 200
        for line, number in enumerate(numbers, 1):
            told = response.readline()
            assert told.startswith(b'{"line":%d,"verdict":"' % line)
            if line % 100 == 0:
                assert json.loads(told)["verdict"] == verdict(number)
        assert json.loads(response.read()) == {"done": True, "lines": len(numbers), "answers": len(numbers)}
    print(f"{len(body):,} bytes, {len(numbers):,} lines; a web process grew by {peak.growth / 2**20:.1f} MiB at most")
    assert peak.growth < ALLOWED


def test_a_list_is_continued_through_nginx_after_its_web_process_died(stack: Stack) -> None:
    draw = random.Random(31)
    numbers = [draw.getrandbits(60) for _ in range(20_000)]
    text = "".join(f"{number}\n" for number in numbers).encode() + HEAVY.encode()
    headers = {"Content-Encoding": "gzip", "Prefer": "respond-async"}
    with uploading(gzip.compress(text), headers) as response:
        assert response.status == 202
        location = response.headers["Location"]
    doomed = {web: stack.containers(web)[0] for web in WEBS[:3]}
    for container in doomed.values():
        stack.kill(container, signal.SIGKILL)

    status, answered, body = wait_until(lambda: (got := stack.get(f"{location}?offset=15000"))[0] == 200 and got, "the list")

    for web, container in doomed.items():  # the next test must find them well
        wait_until(lambda: stack.containers(web)[0]["State"]["Pid"] not in {0, container["State"]["Pid"]}, f"{web} is back")  # noqa: B023
    *lines, done = [json.loads(line) for line in body.splitlines()]
    assert (status, answered["Content-Type"]) == (200, "application/x-ndjson")
    assert "X-Accel-Buffering" not in answered
    assert [line["line"] for line in lines] == list(range(15_001, 20_002))
    assert [line["verdict"] for line in lines] == [*map(verdict, numbers[15_000:]), "probably_prime"]
    assert done == {"done": True, "lines": 20_001, "answers": 20_001}


def test_what_is_too_large_is_refused_by_nginx_and_what_becomes_so_by_web(stack: Stack) -> None:
    with uploading(gzip.compress(b"7" * (LARGEST + 1)), {"Content-Encoding": "gzip"}) as response:
        assert (response.status, (error := json.load(response)["error"])["code"]) == (413, "body_too_large"), error
    connection = HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.putrequest("POST", "/jobs")
    connection.putheader("Content-Length", str(LARGEST + 1))
    connection.endheaders()
    refusal = connection.getresponse()
    assert (refusal.status, json.load(refusal)["error"]["code"]) == (413, "body_too_large")
    connection.close()


def test_the_description_is_in_the_image(stack: Stack) -> None:
    status, headers, body = stack.get("/openapi.yaml")
    assert (status, headers["Content-Type"]) == (200, "application/yaml")
    assert body.startswith(b"openapi: 3.1.0\n")
