"""docs/tree.md names the files that a number passes: those, and no others."""

import contextlib
import itertools
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.integration.processes import ROOT
from tests.integration.stack import Stack, Web
from tests.integration.waiting import wait_until

LINGER = 1  # s
ROUNDS = 100  # what happens beside the number's way, such as a beat, does not happen in each of them

Walks = dict[str, Path]  # the logs, by process
Files = dict[str, set[str]]  # by process


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Web, Walks]]:
    """A web process and a worker that write down where their calls go."""
    folder = tmp_path_factory.mktemp("walk")
    logs = {role: folder / f"{role}.walk" for role in ("web", "worker")}
    environments = {role: {"WALK": str(log), "PYTHONPATH": str(Path(__file__).parent / "walk")} for role, log in logs.items()}
    stack = Stack(folder)
    try:
        stack.redis.start()
        web = stack.web(environment=environments["web"])
        stack.worker(environment=environments["worker"])
        stack.wait_ready()
        yield web, logs
    finally:
        stack.close()


def read(logs: Walks, before: dict[str, int]) -> Files:
    """The files that were entered since the logs were so long."""
    files: Files = {}
    for role, log in logs.items():
        with log.open() as lines:
            lines.seek(before[role])
            files[role] = set(lines.read().splitlines())
    return files


def expect(logs: Walks, ask: Callable[[], None], expected: Files) -> None:
    """Fail unless these are the files that are entered each time that something is asked; it is asked until they are, or often."""
    ask()  # once before: what is made at the first time is no part of the way
    files: Files = {}
    for _ in range(ROUNDS):
        before = {role: log.stat().st_size for role, log in logs.items()}
        ask()
        with contextlib.suppress(AssertionError):  # a process goes on for a moment after the answer is out
            wait_until(lambda: all(expected[role] <= read(logs, before)[role] for role in logs), "the way was gone", LINGER)  # noqa: B023
        for role, entered in read(logs, before).items():
            files[role] = files.get(role, entered) & entered
        if files == expected:
            return
    unnamed = [f"{role}: {file} is entered and not named" for role in files for file in sorted(files[role] - expected[role])]
    idle = [f"{role}: {file} is named and not entered" for role in files for file in sorted(expected[role] - files[role])]
    pytest.fail("\n".join(["docs/tree.md:", *unnamed, *idle]))


def told(heading: str) -> Files:
    """The Python files that the page names under this heading, by process."""
    section = (ROOT / "docs/tree.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    files: Files = {"web": set(), "worker": set()}
    for _, process, where in re.findall(r"^\| (.*?) \| (web|worker) \| (.*?) \|$", section, re.MULTILINE):
        files[process] |= set(re.findall(r"`(services/[\w/]+\.py)`", where))
    return files


def test_the_way_of_a_message_on_a_plain_socket_is_told(walked: tuple[Web, Walks]) -> None:
    web, logs = walked
    with connect(web.url, proxy=None) as client:

        def ask() -> None:
            client.send("97")
            assert client.recv(timeout=30) == "is a prime number"

        expect(logs, ask, told("A message `97` on a plain socket"))


def test_the_way_of_a_request_of_primes_v1_is_told(walked: tuple[Web, Walks]) -> None:
    web, logs = walked
    ids = itertools.count()
    with connect(web.url, subprotocols=["primes.v1"], proxy=None) as client:  # type: ignore[list-item]
        client.recv(timeout=30)

        def ask() -> None:
            client.send(json.dumps({"jsonrpc": "2.0", "id": next(ids), "method": "is_prime", "params": {"number": "97"}}))
            assert json.loads(client.recv(timeout=30))["result"]["verdict"] == "prime"

        expect(logs, ask, told("A request of `primes.v1`"))


def test_the_way_of_a_line_of_an_upload_is_told(walked: tuple[Web, Walks]) -> None:
    web, logs = walked

    def ask() -> None:
        head = (
            "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        )
        with contextlib.closing(socket.create_connection(("127.0.0.1", web.port), timeout=30)) as client:
            client.sendall(f"{head}97\n".encode())
            answer = b"".join(iter(lambda: client.recv(65_536), b""))
        assert b'"verdict":"prime"' in answer and b'"done":true' in answer

    expect(logs, ask, told("A line of an upload"))
