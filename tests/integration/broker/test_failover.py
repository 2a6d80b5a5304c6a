"""The primary fails, is replaced, stands still, comes back: clients find the server that Sentinels chose."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from services.broker.client import BrokerClient
from services.broker.connection import PASSING, Client, connect
from services.broker.sentinel import PrimaryPool
from services.broker.subscription import Subscription
from services.jobs import names
from services.runtime.settings import Settings
from tests.integration.failover import Failover

SILENCE = 100.0  # seconds: longer than a test, so that what ends a connection is not its silence
BOUND = 60.0  # seconds that a busy machine keeps
FAILOVERS = 3  # in one of which nobody who looks stands still for the second that he looks for


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failover]:
    servers = Failover(tmp_path_factory.mktemp("failover"))
    yield servers
    servers.close()


@pytest.fixture
def whole(servers: Failover) -> Failover:
    servers.wait_until_whole()
    return servers


def client(servers: Failover, url: str | None = None) -> Client:
    password = servers.password_file("worker")
    access = {
        "redis_user": "worker",
        "redis_password_file": password,
        "sentinel_user": "worker",
        "sentinel_password_file": password,
    }
    return connect(Settings(redis_url=url or servers.url, redis_timeout=SILENCE, _cli_parse_args=[], **access))


async def takes_writes(broker: BrokerClient) -> bool:
    """Whether a write passes over the hot connection."""
    try:
        await broker.expire(names.NOTHING, 0)
    except PASSING:
        return False
    return True


async def until_it_takes_writes(broker: BrokerClient) -> None:
    async with asyncio.timeout(BOUND):
        while not await takes_writes(broker):  # noqa: ASYNC110  # asked, since nothing tells
            await asyncio.sleep(0.05)


def test_writes_go_to_whom_sentinels_chose_on_purpose(whole: Failover) -> None:
    async def scenario() -> None:
        redis = client(whole)
        broker = BrokerClient(redis)
        following = asyncio.create_task(redis.follow())
        await until_it_takes_writes(broker)
        await asyncio.to_thread(whole.choose_another)
        await until_it_takes_writes(broker)
        assert await redis.expire(names.NOTHING, 0) == 0  # the pool's connections lead there too
        following.cancel()
        await redis.aclose()

    asyncio.run(scenario())


def test_the_one_that_is_chosen_is_known_before_the_failover_is_over(whole: Failover) -> None:
    """Sentinels name the former primary among their primaries for a second more, in which it takes no writes."""

    async def scenario() -> None:
        redis = client(whole)
        pool = redis.connection_pool
        assert isinstance(pool, PrimaryPool)
        for _ in range(FAILOVERS):
            await asyncio.to_thread(whole.wait_until_whole)
            former = whole.primary()
            choosing = asyncio.create_task(asyncio.to_thread(whole.choose_another))
            looks: list[tuple[int, int, int]] = []
            while not choosing.done():
                before = await asyncio.to_thread(whole.named)
                address = await pool.get_master_address()  # type: ignore[no-untyped-call]  # redis-py's own
                looks.append((before, address[1], await asyncio.to_thread(whole.named)))
            if (former.port, (await choosing).port, former.port) in looks:
                break
        else:
            pytest.fail(f"in none of {FAILOVERS} failovers was it known: {looks}")
        await redis.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_primary_that_fails_is_left(whole: Failover, fault: signal.Signals) -> None:
    """One that stands still says nothing: a second after another was chosen, its connections are ended all the same."""

    async def scenario() -> None:
        redis = client(whole)
        broker = BrokerClient(redis)
        heard: list[bytes] = []
        listening = asyncio.Event()
        subscription = Subscription(redis, {names.pulse("me"): heard.append}, SILENCE, listening.set)
        tasks = [asyncio.create_task(redis.follow()), asyncio.create_task(subscription.run())]
        await until_it_takes_writes(broker)
        async with asyncio.timeout(BOUND):
            await listening.wait()  # else it is not its connection that is ended: one that is being made waits for its greeting
        former = whole.primary()
        assert former.program
        former.program.send(fault)
        try:
            await asyncio.to_thread(whole.wait_for_another, former)
            await until_it_takes_writes(broker)
            async with asyncio.timeout(BOUND):
                while not heard:
                    with suppress(PASSING):
                        await broker.publish(names.pulse("me"), b"1")
                    await asyncio.sleep(0.05)
        finally:
            if fault == signal.SIGKILL:
                former.program.wait()
                former.start()
            else:
                former.program.send(signal.SIGCONT)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await redis.aclose()

    asyncio.run(scenario())


def test_without_a_primary_each_try_passes(whole: Failover) -> None:
    async def scenario() -> None:
        redis = client(whole, whole.url.replace("/primes", "/others"))
        with pytest.raises(PASSING, match="0 of 3 Sentinels know a primary of the name 'others'"):
            await redis.ping()
        await redis.aclose()

    asyncio.run(scenario())
