"""What every other client notices while one client abuses the service: `make abuse`."""

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from tests.abuse.attacker import BURN
from tests.abuse.attacks import ATTACKS, MIXED
from tests.abuse.line import Target
from tests.abuse.polite import Polite
from tests.abuse.watch import Watch, alive, open_work
from tests.bench import stacks
from tests.bench.stacks import Row
from tests.integration.processes import ROOT

POLITE, ATTACKER = "127.0.0.2", "127.0.0.3"  # both are this machine
GOAL = 2.0  # times the p95 without the attacker
RECOVERY = 120.0  # seconds until what an attacker left must be gone
SETTLED = 0.5  # seconds after the attacker's start and end that belong to no phase
SHORT = 0.1  # of the connections, in the short form
BURNT = 0.05  # of a core: an attacker that computes less needs no control


@dataclass(slots=True)
class Seen:
    """One row: p50, p95, p99 (ms) of each load in each phase, and the rest."""

    row: str
    waits: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    control: dict[str, float] = field(default_factory=dict)  # p95 (ms) beside a process that only computes as much
    share: float = 0.0  # of a core that the attacker computed
    peak: dict[str, int] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)  # the polite client, that was no right answer
    attacker: dict[str, int] = field(default_factory=dict)  # what the attacker was told
    recovered: float = math.inf  # seconds
    alive: bool = False


def main() -> int:
    """Measure and show; the exit status tells whether somebody else was refused, or a process ended."""
    arguments = _parse(sys.argv[1:])
    rows = arguments.row or [*ATTACKS, MIXED]
    with tempfile.TemporaryDirectory(prefix="primes-abuse-") as folder, start_service(Path(folder)) as service:
        seen = []
        for name in rows:
            seen.append(
                uvloop.run(measure(service, name, arguments.seconds, arguments.seed, scale=SHORT if arguments.short else 1.0))
            )
            print(*told(seen[-1]), sep="\n", flush=True)
    print("", *table(seen), sep="\n")
    return 1 if any(each.told or not each.alive or math.isinf(each.recovered) for each in seen) else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.abuse", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--row", action="append", choices=[*ATTACKS, MIXED], help="this row alone; may be given again")
    parser.add_argument(
        "--seconds",
        type=float,
        default=argparse.SUPPRESS,
        help="of each phase: before, during, after (10; with --short 3)",
    )
    parser.add_argument("--short", action="store_true", help="a tenth of the connections, no control")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parsed = parser.parse_args(arguments)
    parsed.seconds = getattr(parsed, "seconds", 3.0 if parsed.short else 10.0)
    return parsed


def start_service(folder: Path) -> AbstractContextManager[Row]:
    """The stack as compose has it, with nginx' limits; costly answers are not kept, so that each is computed."""
    return stacks.primes(folder, limits={}, options={"worker": ("--cache-ttl", "0")})


async def measure(service: Row, name: str, seconds: float, seed: int, *, scale: float = 1.0) -> Seen:
    """One row: alone, beside the attacker, after it; and on the full scale beside a process that computes as much as that."""
    seen, watch = Seen(name), Watch(service)
    polite = Polite(Target(service.port, POLITE))
    attacker = await _prepare(service, name, seconds + SETTLED, seed, scale)
    start = time.monotonic() + SETTLED
    phases = [(start + n * (seconds + 2 * SETTLED), start + n * (seconds + 2 * SETTLED) + seconds) for n in range(3)]
    asking = asyncio.create_task(polite.run(phases[2][1]))
    await asyncio.sleep(phases[0][1] - time.monotonic())
    began = time.monotonic()
    out, _ = await attacker.communicate(b"\n")
    ended = time.monotonic()
    report: dict[str, Any] = json.loads(out) if out else {"told": {"no report": 1}, "computed": 0.0}
    seen.attacker, seen.share = report["told"], report["computed"] / (ended - began)
    await asking
    for load in polite.loads:
        waits = [load.waits(*phase) for phase in phases]
        seen.waits[load.name] = [(w.quantile(0.5) * 1e3, w.quantile(0.95) * 1e3, w.quantile(0.99) * 1e3) for w in waits]
    seen.peak, seen.told = watch.peaks(), polite.told
    seen.recovered = await _recover(service, ended)
    seen.alive = alive(service)
    if seen.share > BURNT and scale == 1.0:
        control = Polite(Target(service.port, POLITE))
        burner = await _prepare(service, BURN, seconds, seed, min(1.0, seen.share))
        burning = asyncio.create_task(burner.communicate(b"\n"))
        await control.run(time.monotonic() + seconds)
        await burning
        seen.control = {load.name: load.waits(0, math.inf).quantile(0.95) * 1e3 for load in control.loads}
    return seen


async def _prepare(service: Row, name: str, seconds: float, seed: int, scale: float) -> asyncio.subprocess.Process:
    """An attacker that is ready, and begins when it is sent a line."""
    options = ["--port", str(service.port), "--address", ATTACKER, "--seconds", str(seconds), "--seed", str(seed)]
    command = [sys.executable, "-m", "tests.abuse.attacker", name, *options, "--scale", str(scale)]
    # A session of its own, as the service's processes have: the kernel divides the processors among sessions first, and the client
    # that measures shall not have half of what the attacker leaves it.
    pipe = asyncio.subprocess.PIPE
    attacker = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, start_new_session=True)
    assert attacker.stdout is not None  # it is a pipe
    await attacker.stdout.readline()
    return attacker


async def _recover(service: Row, ended: float) -> float:
    """Seconds until the web processes hold nothing of the attacker any more."""
    while time.monotonic() < ended + RECOVERY:
        if await asyncio.to_thread(open_work, service) == 0:
            return time.monotonic() - ended
        await asyncio.sleep(0.2)
    return math.inf


def told(seen: Seen) -> Iterator[str]:
    """All that was seen in a row, in words."""
    yield f"{seen.row}: attacker {seen.share:.2f} of a core, was told {dict(Counter(seen.attacker).most_common(4))}"
    for load, phases in seen.waits.items():
        yield f"    {load}: p50/p95/p99 (ms) " + " → ".join("/".join(f"{each:.1f}" for each in phase) for phase in phases)


def table(rows: Sequence[Seen]) -> Iterator[str]:
    """A table in Markdown: the p95 (ms) before, during, after, the goal, memory, what went wrong."""
    loads = list(rows[0].waits)
    more = "× | × beside the same CPU | MiB nginx, web, Redis | refused | recovered s"
    yield "| Row | " + " | ".join(f"{load}: p95 ms" for load in loads) + f" | {more} |"
    yield "| --- " * (len(loads) + 6) + "|"
    for row in rows:
        cells = [" → ".join(f"{phase[1]:.1f}" for phase in row.waits[load]) for load in loads]
        times = ", ".join(_ratio(row.waits[load][1][1], row.waits[load][0][1]) for load in loads)
        control = ", ".join(_ratio(row.waits[load][1][1], row.control[load]) for load in loads) if row.control else ""
        memory = ", ".join(str(row.peak.get(part, 0)) for part in ("nginx", "web", "redis"))
        refused = ", ".join(f"{what} ({n})" for what, n in row.told.items()) or "none"
        recovered = f"{row.recovered:.1f}" if row.alive else "a process ended"
        yield f"| {row.row} | " + " | ".join([*cells, times, control, memory, refused, recovered]) + " |"


def _ratio(during: float, before: float) -> str:
    ratio = during / before
    return f"**{ratio:.1f}**" if ratio > GOAL else f"{ratio:.1f}"


if __name__ == "__main__":
    sys.exit(main())
