"""Redis over TLS: all ways to it, whom each side believes, and certificates that are replaced while processes run."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from services.broker.client import BrokerClient
from services.broker.connection import PASSING, Client, connect
from services.broker.subscription import Subscription
from services.jobs import names
from services.runtime.settings import Settings
from tests.integration.failover import Failover
from tests.integration.plain_clients import ask_all, questions
from tests.integration.redis_server import RedisServer
from tests.integration.stack import Stack
from tests.integration.tls import HOST, Authority, Pair, Secrets, Terminator, is_built_in, own_options
from tests.integration.waiting import wait_until
from tests.ports import free_port

SILENCE = 20.0  # seconds: longer than a test


class Secured:
    """A Redis that wants to be shown a certificate, and the files of a process that knows it."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        self.server = server
        self._folder = folder
        self._terminator: Terminator | None = None
        self.authority = Authority(folder)
        self.port = free_port()
        self.ca = folder / "ca.crt"
        self.pair = Pair(folder / "process.crt", folder / "process.key")
        self.be_shown(self.authority, self.authority.sign("process"))
        self.show(self.authority, self.authority.sign("server"))

    @property
    def url(self) -> str:
        return f"rediss://{HOST}:{self.port}"

    def show(self, believed: Authority, shown: Pair) -> None:
        """Redis ends all connections, and shows and believes this from now on."""
        self.close()
        if self.server.program:
            self.server.stop()
        secrets = Secrets(believed, shown)
        if is_built_in():
            self.server.start(*own_options(secrets, self.port))
        else:
            inner = free_port()
            self.server.start("--port", str(inner))
            self._terminator = Terminator(self._folder, self.port, inner, secrets)

    def be_shown(self, believed: Authority, shown: Pair) -> None:
        """Replace the files of the process."""
        self.ca.write_bytes(believed.certificate.read_bytes())
        shown.put(self.pair)

    @property
    def options(self) -> list[str]:
        """What a process is told on its command line."""
        files = {"ca": self.ca, "certificate": self.pair.certificate, "key": self.pair.key}
        return [word for name, path in files.items() for word in (f"--redis-{name}-file", str(path))]

    def client(self, **other: Any) -> Client:
        files = {
            "redis_ca_file": self.ca,
            "redis_certificate_file": self.pair.certificate,
            "redis_key_file": self.pair.key,
            "redis_user": "worker",
            "redis_password_file": self.server.password_file("worker"),
        }
        return connect(Settings(redis_url=self.url, redis_timeout=SILENCE, _cli_parse_args=[], **files | other))

    def close(self) -> None:
        if self._terminator:
            self._terminator.close()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    server = RedisServer(tmp_path)
    secured = Secured(server, tmp_path)
    yield secured
    secured.close()
    server.close()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    def run(scenario: Any) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(scenario)

    return run


class Ways:
    """All that a process has: the pool, the hot connection, the one that listens."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._broker = BrokerClient(client)
        self._heard: list[bytes] = []
        self._subscription = Subscription(client, {names.pulse("me"): self._heard.append}, SILENCE)

    async def all_lead_to_redis(self) -> None:
        """Fails when one of them does not within a bound that no loaded machine needs."""
        listening = asyncio.create_task(self._subscription.run())
        try:
            async with asyncio.timeout(30):
                self._heard.clear()
                while not self._heard:
                    try:
                        await self._client.expire(names.NOTHING, 0)
                        await self._broker.publish(names.pulse("me"), b"1" * 100_000)
                    except PASSING:
                        pass
                    await asyncio.sleep(0.02)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        assert self._heard[0] == b"1" * 100_000


def test_all_ways_to_redis_lead_over_tls(secured: Secured, run: Callable[[Any], Any]) -> None:
    async def scenario() -> None:
        client = secured.client()
        await Ways(client).all_lead_to_redis()
        await client.aclose()

    run(scenario())


def test_who_shows_nothing_is_refused(secured: Secured, run: Callable[[Any], Any]) -> None:
    async def scenario() -> None:
        client = secured.client(redis_certificate_file=None, redis_key_file=None)
        for way in (client, BrokerClient(client)):
            with pytest.raises(PASSING):
                await way.expire(names.NOTHING, 0)
        await client.aclose()

    run(scenario())


def test_a_server_of_another_authority_is_not_believed(secured: Secured, run: Callable[[Any], Any], tmp_path: Path) -> None:
    async def scenario() -> None:
        client = secured.client(redis_ca_file=Authority(tmp_path, "another").certificate)
        for way in (client, BrokerClient(client)):
            with pytest.raises(PASSING, match="CERTIFICATE_VERIFY_FAILED"):
                await way.expire(names.NOTHING, 0)
        await client.aclose()

    run(scenario())


def test_with_an_authority_named_the_systems_are_not_believed(
    secured: Secured, run: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.authority.certificate))  # the system's, as OpenSSL sees it

    async def scenario() -> None:
        trusting = secured.client(redis_ca_file=None)
        await trusting.expire(names.NOTHING, 0)
        choosy = secured.client(redis_ca_file=Authority(tmp_path, "another").certificate)
        with pytest.raises(PASSING, match="CERTIFICATE_VERIFY_FAILED"):
            await choosy.expire(names.NOTHING, 0)
        await trusting.aclose()
        await choosy.aclose()

    run(scenario())


def test_a_certificate_that_is_over_is_not_believed_until_it_is_renewed(secured: Secured, run: Callable[[Any], Any]) -> None:
    async def scenario() -> None:
        client = secured.client()
        ways = Ways(client)
        await ways.all_lead_to_redis()
        await asyncio.to_thread(secured.show, secured.authority, secured.authority.sign("server", days=-1))
        with pytest.raises(PASSING):  # the connection that was
            await client.expire(names.NOTHING, 0)
        with pytest.raises(PASSING, match="certificate has expired"):
            await client.expire(names.NOTHING, 0)
        await asyncio.to_thread(secured.show, secured.authority, secured.authority.sign("server"))
        await ways.all_lead_to_redis()
        await client.aclose()

    run(scenario())


def test_all_ways_follow_files_that_were_replaced(secured: Secured, run: Callable[[Any], Any], tmp_path: Path) -> None:
    """Also connections that were made before, and though nothing of the former authority is believed any more."""

    async def scenario() -> None:
        client = secured.client()
        ways = Ways(client)
        await ways.all_lead_to_redis()
        another = Authority(tmp_path, "another")
        await asyncio.to_thread(secured.show, another, another.sign("server"))
        secured.be_shown(another, another.sign("process"))
        await ways.all_lead_to_redis()
        await client.aclose()

    run(scenario())


def test_between_a_new_certificate_and_its_key_the_former_pair_is_shown(secured: Secured, run: Callable[[Any], Any]) -> None:
    async def scenario() -> None:
        client = secured.client()
        await client.expire(names.NOTHING, 0)
        secured.pair.certificate.write_bytes(secured.authority.sign("renewed").certificate.read_bytes())
        await BrokerClient(client).expire(names.NOTHING, 0)
        await client.aclose()

    run(scenario())


@pytest.mark.parametrize("text", ["no certificate\n", ""])
def test_files_that_are_no_certificates_are_told_and_tried_again(secured: Secured, run: Callable[[Any], Any], text: str) -> None:
    async def scenario() -> None:
        client = secured.client()
        secured.ca.write_text(text)
        for way in (client, BrokerClient(client)):
            with pytest.raises(PASSING, match=r"PEM|NO_CERTIFICATE"):
                await way.expire(names.NOTHING, 0)
        secured.ca.write_bytes(secured.authority.certificate.read_bytes())
        await Ways(client).all_lead_to_redis()
        await client.aclose()

    run(scenario())


def test_sentinels_and_the_primary_that_they_choose_are_reached_over_tls(tmp_path: Path, run: Callable[[Any], Any]) -> None:
    authority = Authority(tmp_path)
    servers = Failover(tmp_path, Secrets(authority, authority.sign("server")))

    async def scenario() -> None:
        password, pair = servers.password_file("worker"), authority.sign("process")
        access = {
            "redis_user": "worker",
            "redis_password_file": password,
            "sentinel_user": "worker",
            "sentinel_password_file": password,
        }
        files = {"redis_ca_file": authority.certificate, "redis_certificate_file": pair.certificate, "redis_key_file": pair.key}
        client = connect(Settings(redis_url=servers.url, redis_timeout=SILENCE, _cli_parse_args=[], **access | files))  # type: ignore[arg-type]
        ways = Ways(client)
        following = asyncio.create_task(client.follow())
        await ways.all_lead_to_redis()
        await asyncio.to_thread(servers.choose_another)
        await ways.all_lead_to_redis()
        following.cancel()
        await client.aclose()

    try:
        run(scenario())
    finally:
        servers.close()


def test_processes_work_over_tls_once_they_may_believe_redis(stack: Stack, tmp_path: Path) -> None:
    """Until then each says in one line why not, is alive and not ready."""
    secured = Secured(stack.redis, tmp_path)
    try:
        stack.redis_url = secured.url
        secured.ca.write_bytes(Authority(tmp_path, "another").certificate.read_bytes())
        web, worker = stack.web("web0", *secured.options), stack.worker("worker0", *secured.options)
        for service in (web, worker):
            wait_until(lambda service=service: "CERTIFICATE_VERIFY_FAILED" in service.tail(), "it says why")  # type: ignore[misc]
            wait_until(lambda service=service: not service.ready(), "it answers, and is not ready")  # type: ignore[misc]
            assert "Traceback" not in service.log.read_text()
        secured.ca.write_bytes(secured.authority.certificate.read_bytes())
        stack.wait_ready()
        tally = ask_all([(web.url, questions(20, seed=1))])
        assert tally.clean, tally
        assert not any("Traceback" in service.log.read_text() for service in (web, worker))
    finally:
        secured.close()
