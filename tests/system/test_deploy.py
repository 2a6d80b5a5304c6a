"""Containers are replaced one by one while clients ask."""

import asyncio
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.integration.plain_clients import question
from tests.integration.v1_clients import RpcClient, Tally
from tests.integration.waiting import wait_until
from tests.system.stack import WEBS, Stack

RESTART = 1012  # close code: service restart
SESSIONS, PLAIN = 200, 20  # clients


@contextmanager
def deploying(stack: Stack, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A rolling deploy; a test that fails meanwhile ends it first, lest it goes on under the next test."""
    deploy = stack.deploy(*options)
    try:
        yield deploy
    finally:
        if deploy.poll() is None:
            deploy.send_signal(signal.SIGINT)
            finish(deploy)


def finish(deploy: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit status and words of a deploy."""
    said, _ = deploy.communicate(timeout=240)
    print(said)
    return deploy.returncode, said


class PlainPeer:
    """Asks one number at a time, and again elsewhere what had no answer when its socket was closed."""

    def __init__(self) -> None:
        self.answered = self.wrong = self.repeated = self.refused = 0
        self.codes: list[int | None] = []  # with which its sockets were closed

    async def live(self, url: str, over: asyncio.Event, chance: random.Random) -> None:
        number = chance.getrandbits(64)
        while not over.is_set():
            try:
                async with connect(url, compression=None, open_timeout=30) as socket:
                    while not over.is_set():
                        asked, expected = question(number)
                        await socket.send(asked)
                        self.wrong += await asyncio.wait_for(socket.recv(), 60) != expected
                        self.answered += 1
                        number = chance.getrandbits(64)
                        await asyncio.sleep(chance.uniform(0.3, 0.7))  # load, not an outcome
            except ConnectionClosed as closed:
                self.codes.append(closed.rcvd.code if closed.rcvd else None)
                self.repeated += 1
            except (OSError, InvalidHandshake):
                self.refused += 1
                await asyncio.sleep(0.1)


async def live(client: RpcClient, url: str, over: asyncio.Event, chance: random.Random) -> None:
    """Ask steadily, and come back as often as the socket is closed."""
    await client.connect(url)
    while not over.is_set():
        digits = 200 if chance.random() < 0.02 else 18  # some go through the heavy lane
        await client.ask(str(chance.randrange(10**digits) | 1))
        await asyncio.sleep(chance.uniform(0.3, 0.7))  # load, not an outcome
        if client.cut_off:
            await client.keep_connecting(lambda: url)
    await client.answered()


def test_a_deploy_under_load_loses_duplicates_and_falsifies_nothing(stack: Stack) -> None:
    replaced, kept = stack.ids(*WEBS, "worker"), stack.ids("nginx", "redis", "prometheus")
    sessions = [RpcClient(f"c{number}-") for number in range(SESSIONS)]
    plain = [PlainPeer() for _ in range(PLAIN)]

    async def scenario() -> tuple[int, str]:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as clients:
            for number, client in enumerate(sessions):
                clients.create_task(live(client, stack.socket, over, random.Random(number)))
            for number, other in enumerate(plain):
                clients.create_task(other.live(stack.socket, over, random.Random(-number)))
            try:
                for client in sessions:
                    await client.until(lambda: client.answers, "the first answer came")  # noqa: B023  # waited for in this very turn
                return await asyncio.to_thread(lambda: finish(stack.deploy("--force-recreate")))
            finally:
                over.set()

    status, said = asyncio.run(scenario())

    tally = sum((client.tally() for client in sessions), Tally())
    moves = sum(len(client.notices) - 1 for client in sessions)
    codes = [code for client in plain for code in client.codes]
    print(f"sessions: {tally}; moves {moves}")
    print(
        f"plain: answered {sum(c.answered for c in plain)}, wrong {sum(c.wrong for c in plain)}, asked again after a close"
        f" {sum(c.repeated for c in plain)}, refused {sum(c.refused for c in plain)}, close codes {sorted(set(map(str, codes)))}"
    )
    assert (status, said.splitlines()[-1].split()[-1]) == (0, "done")
    assert tally.clean and not tally.unrecovered and not any(client.errors for client in sessions)
    assert all(client.farewells for client in sessions)  # each socket was on a web process that was replaced
    assert codes and set(codes) == {RESTART} and not sum(client.wrong for client in plain)
    now = stack.ids(*WEBS, "worker")
    assert len(now) == len(replaced) and not now & replaced
    assert stack.ids("nginx", "redis", "prometheus") == kept
    stack.compose("up", "--detach", "--wait")  # finds nothing to replace
    assert stack.ids(*WEBS, "worker") == now


def test_a_deploy_that_does_not_become_healthy_stops_and_the_next_one_goes_on(stack: Stack, tmp_path: Path) -> None:
    others = stack.ids(*WEBS[1:], "worker")
    broken = tmp_path / "broken.yml"
    broken.write_text(
        """services:
  web0:
    environment: { PRIMES_REDIS_URL: "redis://nowhere:6379" }
    healthcheck: { interval: 1s, start_period: 15s } # time for what its log is to say
"""
    )
    status, said = finish(stack.deploy("--no-build", COMPOSE_FILE=f"docker-compose.yml:{broken}"))
    assert status == 1
    assert "web0 is not healthy (running, unhealthy, restarted 0 times)" in said
    assert "serves clients on port 8000" in said  # its log
    assert "not done: web0 web1 web2 web3." in said  # the workers come first, and were up to date
    assert stack.ids(*WEBS[1:], "worker") == others
    # one request in four still goes to the broken one, which accepts it and waits for Redis
    wait_until(lambda: stack.get("/primes/97?timeout=1")[0] == 200, "the others serve")

    status, said = finish(stack.deploy("--no-build"))
    assert status == 0
    assert "web0 was replaced and is healthy" in said
    assert stack.ids(*WEBS[1:], "worker") == others  # up to date


def test_an_interrupted_deploy_finishes_its_step_and_says_what_is_left(stack: Stack) -> None:
    webs, workers = stack.ids(*WEBS), stack.ids("worker")
    with deploying(stack, "--no-build", "--force-recreate") as deploy:
        while stack.ids("worker") == workers:  # the test's time limit bounds it
            assert deploy.poll() is None
        deploy.send_signal(signal.SIGINT)
        status, said = finish(deploy)
    assert status == 130
    assert said.count("gave back what it held and is gone") == 1
    assert "not done: worker web0 web1 web2 web3." in said
    assert stack.ids(*WEBS) == webs
    assert len(now := stack.ids("worker")) == len(workers) and len(now & workers) == len(workers) - 1


def test_web_containers_can_be_replaced_first(stack: Stack) -> None:
    workers = stack.ids("worker")
    before = stack.ids("web0")
    with deploying(stack, "--no-build", "--force-recreate", "--web-first") as deploy:
        while stack.ids("web0") == before:  # the test's time limit bounds it
            assert deploy.poll() is None
        deploy.send_signal(signal.SIGINT)
        status, said = finish(deploy)
    assert status == 130
    assert "web0 was replaced and is healthy" in said
    assert "not done: web1 web2 web3 worker." in said
    assert stack.ids("worker") == workers
    assert "(healthy)" in stack.statuses()["web0-1"]


def test_a_deploy_brings_redis_users_up_to_date_before_anything_else(stack: Stack) -> None:
    forget = "sed --in-place 's/ +acl|dryrun//' /access/redis/users.acl"
    stack.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "access", "-c", forget)
    read_anew = "REDISCLI_AUTH=$(cat /run/access/redis/password) redis-cli --user redis ACL LOAD"
    assert stack.compose("exec", "-T", "redis", "sh", "-c", read_anew).strip() == "OK"
    before = stack.ids("redis", *WEBS, "worker")
    stack.compose("restart", "web0")
    wait_until(lambda: "lack rights that this version needs" in stack.compose("logs", "--tail", "20", "web0"), "web0 waits")

    status, said = finish(stack.deploy("--no-build"))
    assert status == 0
    assert said.index("Redis' users may do what this version needs") < said.index("is up to date")
    assert stack.ids("redis", *WEBS, "worker") == before
    assert "(healthy)" in stack.statuses()["web0-1"]
