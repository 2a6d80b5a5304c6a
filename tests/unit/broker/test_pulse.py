"""The pulse tells what has been heard, and whether what is published is being lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from redis.exceptions import ConnectionError, ReadOnlyError

from services.broker.pulse import Pulse

Scenario = Callable[[Pulse, "Channel"], Awaitable[None]]


class Channel:
    """Takes beats as Redis does; whether and when they are heard is the test's choice."""

    def __init__(self, pulse: Pulse, *, deaf: bool = False, away: bool = False, demoted: bool = False) -> None:
        self._pulse = pulse
        self.deaf = deaf
        self.away = away
        self.demoted = demoted
        self.taken: list[bytes] = []
        self._news = asyncio.Event()

    async def evalsha(self, digest: str, number_of_keys: int, key: str, channel: str, beat: int) -> None:
        if self.demoted:
            raise ReadOnlyError("a replica")
        if self.away:
            raise ConnectionError("away")
        self.taken.append(b"%d" % beat)
        self._news.set()
        if not self.deaf:
            self._pulse.hear(b"%d" % beat)

    async def takes(self, beats: int) -> None:
        """Wait until it has taken so many."""
        while len(self.taken) < beats:
            self._news.clear()
            await self._news.wait()


def beating(scenario: Scenario, **options: bool) -> Pulse:
    """The pulse after the scenario, during which it beats."""
    pulse = Pulse("test")

    async def run() -> None:
        channel = Channel(pulse, **options)
        running = asyncio.create_task(pulse.run(channel))  # type: ignore[arg-type]  # the one command that it sends
        async with asyncio.timeout(20):
            await scenario(pulse, channel)
        running.cancel()

    asyncio.run(run())
    return pulse


def test_a_process_that_hears_its_beats_is_fresh_and_loses_none() -> None:
    pulse = beating(lambda pulse, channel: channel.takes(3))
    assert (pulse.fresh, pulse.lost, pulse.heard) == (True, False, 3)


def test_a_redis_that_takes_no_writes_gets_no_beat() -> None:
    async def scenario(pulse: Pulse, channel: Channel) -> None:
        assert not await pulse.pass_by(pulse.sent)
        assert (channel.taken, pulse.fresh, pulse.lost) == ([], False, False)
        channel.demoted = False
        assert await pulse.pass_by(pulse.sent)

    beating(scenario, demoted=True)


def test_beats_that_redis_took_and_nobody_heard_are_lost() -> None:
    async def scenario(pulse: Pulse, channel: Channel) -> None:
        assert not await pulse.pass_by(pulse.sent)
        assert pulse.lost and not pulse.fresh

    beating(scenario, deaf=True)


def test_a_beat_that_was_sent_before_does_not_pass_by() -> None:
    async def scenario(pulse: Pulse, channel: Channel) -> None:
        await channel.takes(1)
        assert await pulse.pass_by(pulse.sent)
        assert pulse.heard >= 2

    beating(scenario)


def test_a_beat_that_comes_late_passes_by_what_precedes_it() -> None:
    async def scenario(pulse: Pulse, channel: Channel) -> None:
        found = pulse.sent
        await channel.takes(3)
        assert not await pulse.pass_by(found)
        pulse.hear(channel.taken[1])
        assert await pulse.pass_by(found)

    beating(scenario, deaf=True)


def test_whoever_looks_for_losses_rests_no_longer_while_there_are_some() -> None:
    async def scenario(pulse: Pulse, channel: Channel) -> None:
        resting = asyncio.create_task(pulse.rest(time.monotonic() + 3_600))
        await channel.takes(3)
        assert not resting.done()
        channel.deaf = True
        await resting

    beating(scenario)


def test_whoever_looks_for_losses_rests_no_longer_once_the_listening_connection_is_another() -> None:
    async def scenario(pulse: Pulse, channel: Channel) -> None:
        resting = asyncio.create_task(pulse.rest(time.monotonic() + 3_600))
        await channel.takes(3)
        assert not resting.done()
        pulse.listen_anew()
        await resting
        again = asyncio.create_task(pulse.rest(time.monotonic() + 3_600))
        await channel.takes(6)
        assert not again.done()  # one look was enough
        again.cancel()

    beating(scenario)


def test_a_redis_that_is_away_loses_no_beats_and_is_asked_again() -> None:
    async def scenario(pulse: Pulse, channel: Channel) -> None:
        assert not await pulse.pass_by(pulse.sent)
        assert not pulse.lost
        channel.away = False
        assert await pulse.pass_by(pulse.sent)

    beating(scenario, away=True)
