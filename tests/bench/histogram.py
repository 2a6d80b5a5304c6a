"""Latencies as the load generator counts them: pairs of a bucket's least value in µs and the number of answers in it."""

from collections import Counter
from collections.abc import Iterable, Sequence

Buckets = Sequence[tuple[int, int]]


def merge(histograms: Iterable[Buckets]) -> list[tuple[int, int]]:
    """One histogram of what all of them counted."""
    counts: Counter[int] = Counter()
    for buckets in histograms:
        counts.update(dict(buckets))
    return sorted(counts.items())


def quantile(buckets: Buckets, share: float) -> int:
    """The least value of the bucket, in µs, below which this share of the answers is. Raises ValueError if there are none."""
    wanted = sum(count for _, count in buckets) * share
    seen = 0
    for value, count in sorted(buckets):
        seen += count
        if seen > wanted:
            return value
    raise ValueError(f"expected a share below 1 of at least one answer, got {share} of {seen}")
