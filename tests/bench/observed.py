"""What a stack under load tells about itself: event-loop lag from Prometheus, CPU time from the kernel."""

import math
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.integration.waiting import wait_until
from tests.system.stack import WEBS, Stack

TICK = os.sysconf("SC_CLK_TCK")  # a second, in units of CPU time
SERVICES = ("nginx", *WEBS, "worker", "redis", "prometheus", "redis-exporter", "nginx-exporter")


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many observations were so many seconds or less: cumulative, as Prometheus has them. Sums over all processes."""

    buckets: dict[float, float]

    def __sub__(self, before: Self) -> "Histogram":
        return Histogram({bound: count - before.buckets.get(bound, 0) for bound, count in self.buckets.items()})

    def __add__(self, other: Self) -> "Histogram":
        bounds = self.buckets.keys() | other.buckets.keys()
        return Histogram({bound: self.buckets.get(bound, 0) + other.buckets.get(bound, 0) for bound in bounds})

    @property
    def count(self) -> int:
        return int(self.buckets.get(math.inf, 0))

    def above(self, seconds: float) -> int:
        """Observations of more than this bound of a bucket."""
        return self.count - int(self.buckets.get(seconds, 0))

    def quantile(self, share: float) -> float:
        """The bound of the bucket in which it lies: an upper bound."""
        return min((bound for bound, count in self.buckets.items() if count >= share * self.count), default=math.nan)


@dataclass(frozen=True, slots=True)
class Told:
    """What the processes tell of themselves."""

    web: Histogram  # event-loop lag
    worker: Histogram  # event-loop lag
    queue: Histogram  # from the write of a quick entry to its claim

    def __sub__(self, before: Self) -> "Told":
        return Told(self.web - before.web, self.worker - before.worker, self.queue - before.queue)

    def __add__(self, other: Self) -> "Told":
        return Told(self.web + other.web, self.worker + other.worker, self.queue + other.queue)


NOTHING = Told(Histogram({}), Histogram({}), Histogram({}))


def read_told(stack: Stack) -> Told:
    """Everything until now, as soon as it has been scraped from every process."""
    now = time.time()
    scraped = 'timestamp(up{job=~"web|worker"})'
    wait_until(
        lambda: min((float(sample["value"][1]) for sample in stack.query(scraped)), default=0.0) > now, "every process is scraped"
    )

    def read(selector: str) -> Histogram:
        samples = stack.query(f"sum by (le) ({selector})")
        return Histogram({float(sample["metric"]["le"]): float(sample["value"][1]) for sample in samples})

    lag = "primes_event_loop_lag_seconds_bucket"
    return Told(
        read(f'{lag}{{job="web"}}'),
        read(f'{lag}{{job="worker"}}'),
        read('primes_worker_queue_wait_seconds_bucket{lane="quick"}'),
    )


def find_processes(stack: Stack) -> list[tuple[str, int]]:
    """Service and main process of every container; asked once, since Docker's answers cost more CPU than what is measured."""
    return [(service, container["State"]["Pid"]) for service in SERVICES for container in stack.containers(service)]


def read_cpu(processes: list[tuple[str, int]]) -> Counter[str]:
    """Seconds of CPU by class of process, since their start."""
    used: Counter[str] = Counter(client=sum(os.times()[:2]))
    for service, main in processes:
        for pid in _family(main):
            used[_classify(service, pid)] += _seconds(pid)  # type: ignore[assignment]  # as below
    # others than these, if the machine has any: then the figures are theirs too
    user, nice, system, _, _, irq, softirq, steal = (int(word) / TICK for word in Path("/proc/stat").read_text().split()[1:9])
    # A Counter counts what adds, though its stub says int.
    used["all of the machine"] = user + nice + system + irq + softirq  # type: ignore[assignment]
    used["stolen from the machine"] = steal  # type: ignore[assignment]
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
        heavy = b"services.worker.compute.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return "worker, heavy children" if heavy else "worker, supervisor and quick lane"
    return "Prometheus and exporters" if service == "prometheus" or service.endswith("exporter") else service


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
