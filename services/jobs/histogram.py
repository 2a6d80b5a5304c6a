"""A histogram that takes many values at once."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import Histogram


class BatchHistogram(Histogram):
    """`observe` of each value costs 2 µs, which is as much as a quick job's arithmetic.

    It rests on names that prometheus_client does not promise; a test compares it with `observe`.
    """

    def observe_all(self, amounts: Sequence[float]) -> None:
        """As `observe` of each."""
        self._sum.inc(sum(amounts))
        counts: dict[int, int] = defaultdict(int)
        for amount in amounts:
            counts[bisect_left(self._upper_bounds, amount)] += 1
        for bucket, count in counts.items():
            self._buckets[bucket].inc(count)
