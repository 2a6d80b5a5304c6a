"""Many values at once are counted as one by one; a tally is told once a turn."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics import exposition as openmetrics

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


def test_an_exemplar_stands_in_its_bucket_and_counts_nothing() -> None:
    registry = CollectorRegistry()
    histogram = BatchHistogram("seconds", "seconds", ["lane"], buckets=BUCKETS, registry=registry)
    histogram.labels("quick").observe_all([0.4])
    before = samples(histogram)
    histogram.labels("quick").note_exemplar(0.4, "ab" * 16)
    assert samples(histogram) == before
    text: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    (line,) = [line for line in text.decode().splitlines() if "trace_id" in line]
    bucket, _, exemplar = line.partition(" # ")
    assert bucket == 'seconds_bucket{lane="quick",le="0.5"} 1.0'
    assert exemplar.startswith('{trace_id="' + "ab" * 16 + '"} 0.4 ')


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
