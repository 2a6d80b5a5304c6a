"""What the service sees of time and chance while a history runs; the machine's own otherwise."""

import contextlib
import random
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any

START = 1_700_000_000  # seconds since 1970 at which every history begins

_real = {name: getattr(time, name) for name in ("monotonic", "time", "time_ns", "perf_counter", "perf_counter_ns")}
real_time: Callable[[], float] = time.perf_counter  # of the machine, whatever runs


class _Clock:
    """The one that the functions of this module ask."""

    elapsed: Callable[[], float] | None = None  # seconds since the history's beginning; None: no history runs
    skew: Callable[[], float] | None = None  # seconds by which the clock of the process that runs is wrong


_clock = _Clock()


def monotonic() -> float:
    """Seconds, in every process the same."""
    return _real["monotonic"]() if _clock.elapsed is None else _clock.elapsed()


def wall() -> float:
    """Seconds since 1970, as the process that runs believes."""
    return _real["time"]() if _clock.elapsed is None else START + _clock.elapsed() + (_clock.skew() if _clock.skew else 0.0)


def wall_ns() -> int:
    """Nanoseconds since 1970, likewise."""
    return _real["time_ns"]() if _clock.elapsed is None else int(wall() * 1e6) * 1000


def perf_counter_ns() -> int:
    """Computation takes no time but that which the history gives it."""
    return _real["perf_counter_ns"]() if _clock.elapsed is None else int(_clock.elapsed() * 1e9)


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
    chance = random.Random(f"secrets {seed}")
    tokens = secrets.token_hex, secrets.token_urlsafe
    state = random.getstate()
    random.seed(seed)
    secrets.token_hex = lambda nbytes=None: chance.randbytes(nbytes or 32).hex()
    secrets.token_urlsafe = lambda nbytes=None: _urlsafe(chance.randbytes(nbytes or 32))
    _clock.elapsed, _clock.skew = elapsed, skew
    try:
        yield
    finally:
        _clock.elapsed = _clock.skew = None
        secrets.token_hex, secrets.token_urlsafe = tokens
        random.setstate(state)


def _urlsafe(random_bytes: bytes) -> str:
    return urlsafe_b64encode(random_bytes).rstrip(b"=").decode()
