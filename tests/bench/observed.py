"""What a stack under load tells about itself: event-loop lag from Prometheus, CPU time from the kernel."""

import math
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.system.stack import WEBS, Stack, wait_until

TICK = os.sysconf("SC_CLK_TCK")  # a second, in units of CPU time
SERVICES = ("nginx", *WEBS, "worker", "redis", "prometheus", "redis-exporter", "nginx-exporter")


@dataclass(frozen=True, slots=True)
class Lag:
    """How many timers of an event loop ran so late or less, by seconds: cumulative, as Prometheus has them."""

    buckets: dict[float, float]

    def __sub__(self, before: Self) -> "Lag":
        return Lag({bound: count - before.buckets.get(bound, 0) for bound, count in self.buckets.items()})

    def __add__(self, other: Self) -> "Lag":
        return Lag({bound: count + other.buckets.get(bound, 0) for bound, count in self.buckets.items()})

    @property
    def looks(self) -> int:
        return int(self.buckets.get(math.inf, 0))

    def above(self, seconds: float) -> int:
        """Looks that found more lag than this bound of a bucket."""
        return self.looks - int(self.buckets.get(seconds, 0))

    @property
    def most(self) -> float:
        """The bound of the last bucket that has something."""
        return min((bound for bound, count in self.buckets.items() if count >= self.looks), default=math.nan)


def read_lag(stack: Stack, job: str) -> Lag:
    """Everything until now, as soon as it has been scraped from every process of the job."""
    now = time.time()
    wait_until(
        lambda: min((float(sample["value"][1]) for sample in stack.query(f'timestamp(up{{job="{job}"}})')), default=0.0) > now,
        f"every {job} process is scraped",
    )
    samples = stack.query(f'sum by (le) (primes_event_loop_lag_seconds_bucket{{job="{job}"}})')
    return Lag({float(sample["metric"]["le"]): float(sample["value"][1]) for sample in samples})


def read_cpu(stack: Stack) -> Counter[str]:
    """Seconds of CPU by class of process, since their start."""
    used: Counter[str] = Counter({"client": sum(os.times()[:2])})
    for service in SERVICES:
        for container in stack.containers(service):
            for pid in _family(container["State"]["Pid"]):
                used[_classify(service, pid)] += _seconds(pid)
    return used


def _family(pid: int) -> list[int]:
    """A process and all that it started."""
    try:
        children = [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]
    except FileNotFoundError:  # it has ended
        return []
    return [pid, *(other for child in children for other in _family(child))]


def _classify(service: str, pid: int) -> str:
    if service in WEBS:
        return "web"
    if service == "worker":
        heavy = b"services.worker.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return "worker, heavy children" if heavy else "worker, supervisor and quick lane"
    return "Prometheus and exporters" if service == "prometheus" or service.endswith("exporter") else service


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
