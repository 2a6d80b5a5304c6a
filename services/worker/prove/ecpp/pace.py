"""What the items of parts cost, as learned from those that came back, so that each part takes about as long as any other."""

import math

# Microseconds of a part: fifty times what it costs to hand one out. Where there are more workers, parts are smaller, so that a step
# has some for each of them.
TARGET_US = 150_000
LEAST_TARGET_US = 15_000
SHARED_US = 160_000  # by the workers
LEAST_US = 10_000  # of a part of what several workers share

# Microseconds of one item at 1,000 bits, and the power of the bits by which they grow: measured on one machine, and only a start.
TEST = (600.0, 2.8)  # a power modulo n: a root, or the test of a cofactor
ORDER = (150.0, 1.8)  # a discriminant, with the small primes of its orders

LEARNED = 0.3  # weight of the newest part
FASTEST, SLOWEST = 0.02, 50.0  # times as long as above, whatever comes: a clock that is wrong must not make parts without end


class Pace:
    """The cost of one kind of item."""

    def __init__(self, model: tuple[float, float]) -> None:
        self._at_1000, self._power = model
        self._factor = 1.0  # how much longer than that it takes

    def cost(self, bits: int) -> float:
        """Microseconds of one item."""
        return self._factor * self._model(bits)

    def _model(self, bits: int) -> float:
        return float(self._at_1000 * (bits / 1000) ** self._power)

    def count(self, bits: int, target_us: float) -> int:
        """Items of one part."""
        return max(1, round(target_us / self.cost(bits)))

    def learn(self, bits: int, items: int, compute_us: int) -> None:
        """So long took a part of so many items."""
        if items > 0 and compute_us > 0:
            came = min(max(compute_us / items / self._model(bits), FASTEST), SLOWEST)
            self._factor += LEARNED * (came - self._factor)


class Paces:
    """What roots and tests, and discriminants, cost, and how long a part should take."""

    def __init__(self) -> None:
        self.tests = Pace(TEST)
        self.orders = Pace(ORDER)
        self.workers = 1  # how many compute

    @property
    def target_us(self) -> float:
        """Of a part."""
        return min(max(SHARED_US / self.workers, LEAST_TARGET_US), TARGET_US)

    def share(self, pace: Pace, bits: int, waiting: int, least_us: float = 0.0) -> int:
        """Items of one part where so many wait: each worker gets some, if that makes no part shorter than is worth handing out."""
        least = pace.count(bits, max(least_us, LEAST_US))
        return min(max(math.ceil(waiting / self.workers), least), max(pace.count(bits, self.target_us), least))
