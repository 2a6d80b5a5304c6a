"""What the service sees of time and chance while a history runs; the machine's own otherwise."""

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

START = 1_700_000_000  # seconds since 1970 at which every history begins

_real = {name: getattr(time, name) for name in ("monotonic", "time", "time_ns", "perf_counter", "perf_counter_ns")}
real_time: Callable[[], float] = time.perf_counter  # of the machine, whatever runs

_elapsed: Callable[[], float] | None = None  # seconds since the history's beginning; None: no history runs
_skew: Callable[[], float] = lambda: 0.0  # by which the clock of the process that runs is wrong


def monotonic() -> float:
    """Seconds, in every process the same."""
    return _real["monotonic"]() if _elapsed is None else _elapsed()


def wall() -> float:
    """Seconds since 1970, as the process that runs believes."""
    return _real["time"]() if _elapsed is None else START + _elapsed() + _skew()


def wall_ns() -> int:
    """Nanoseconds since 1970, likewise."""
    return _real["time_ns"]() if _elapsed is None else int(wall() * 1e6) * 1000


def perf_counter_ns() -> int:
    """Computation takes no time but that which the history gives it."""
    return _real["perf_counter_ns"]() if _elapsed is None else int(_elapsed() * 1e9)


def replace() -> None:
    """Put these functions in the place of those of `time`, for good."""
    changed: dict[str, Callable[[], Any]] = {
        "monotonic": monotonic,
        "time": wall,
        "time_ns": wall_ns,
        "perf_counter": monotonic,
        "perf_counter_ns": perf_counter_ns,
    }
    for name, function in changed.items():
        setattr(time, name, function)


@contextlib.contextmanager
def owned(seed: int, elapsed: Callable[[], float], skew: Callable[[], float]) -> Iterator[None]:
    """Time and chance are the history's."""
    global _elapsed, _skew  # noqa: PLW0603  # there is one clock
    chance = random.Random(f"secrets {seed}")
    tokens = secrets.token_hex, secrets.token_urlsafe
    state = random.getstate()
    random.seed(seed)
    secrets.token_hex = lambda size=32: chance.randbytes(size or 32).hex()
    secrets.token_urlsafe = lambda size=32: _urlsafe(chance.randbytes(size or 32))
    _elapsed, _skew = elapsed, skew
    try:
        yield
    finally:
        _elapsed, _skew = None, lambda: 0.0
        secrets.token_hex, secrets.token_urlsafe = tokens
        random.setstate(state)


def _urlsafe(random_bytes: bytes) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(random_bytes).rstrip(b"=").decode()
