"""Many values at once are counted as one by one; a tally is told once a turn."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from services.runtime.cheap_metrics import BatchHistogram, Tally

BUCKETS = (0.001, 0.002, 0.5, 1, 60)


def samples(histogram: Histogram) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for metric in histogram.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(st.one_of(st.sampled_from([0, 0.001, 0.0010001, 0.5, 60, 61]), st.integers(0, 100).map(lambda n: n / 16))))
def test_counts_as_observe_does(amounts: list[float]) -> None:
    one, many = (
        kind("seconds", "seconds", ["lane"], buckets=BUCKETS, registry=CollectorRegistry()) for kind in (Histogram, BatchHistogram)
    )
    for amount in amounts:
        one.labels("quick").observe(amount)
    assert isinstance(many, BatchHistogram)
    many.labels("quick").observe_all(amounts)
    expected, counted = samples(one), samples(many)
    if amounts:
        assert abs(counted.pop(("seconds_sum", "")) - expected.pop(("seconds_sum", ""))) < 1e-9
        assert counted == expected


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
