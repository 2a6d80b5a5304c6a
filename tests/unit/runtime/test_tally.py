"""The tally: counted at once, told once a turn."""

import asyncio

from prometheus_client import CollectorRegistry, Counter

from services.runtime.cheap_metrics import Tally


def test_tells_what_was_counted_at_the_end_of_the_turn() -> None:
    registry = CollectorRegistry()
    tally = Tally(Counter("heard", "Heard", registry=registry))

    async def count() -> list[float | None]:
        told = []
        for often in (3, 2):
            for _ in range(often):
                tally.inc()
            told.append(registry.get_sample_value("heard_total"))
            await asyncio.sleep(0)
        return [*told, registry.get_sample_value("heard_total")]

    assert asyncio.run(count()) == [0, 3, 5]
