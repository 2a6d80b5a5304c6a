"""Measures what small numbers and short proofs wait for while large ones keep every worker busy: `make bench-lanes`."""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import uvloop

from tests.bench import flood, open_loop, short_proofs
from tests.bench.flood import Flood
from tests.bench.observed import NOTHING, Told, find_processes, read_cpu, read_told
from tests.bench.open_loop import Waits
from tests.bench.short_proofs import LONG, LongProofs
from tests.integration.waiting import eventually
from tests.system.stack import Stack

PROJECT = "primes-lanes"
WAITS = 0.1  # seconds: of 100 small numbers, 99 shall be answered within this
PROOF = 1.0  # seconds: within which each short proof shall be made
LAG = 0.05  # seconds: no web process' event loop shall be later


@dataclass
class Phase:
    """What was seen with the flood or without, over all rounds."""

    waits: Waits = field(default_factory=Waits)
    told: Told = NOTHING
    cpu: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0  # over which the CPU time was spent
    proofs: short_proofs.Told = field(default_factory=short_proofs.Told)
    heavy: int = 0  # large numbers answered
    heavy_wrong: int = 0
    queued: float = 0.0  # large numbers that waited at the end of the last round


def main() -> int:
    """Measure and show; returns the exit status."""
    arguments = _parse(sys.argv[1:])
    stack = Stack(arguments.project, arguments.port, arguments.prometheus_port, arguments.operators_port)
    try:
        if not arguments.running:
            say("starts the stack")
            stack.up()
        quiet, flooded = uvloop.run(run(stack, arguments))
    except KeyboardInterrupt:
        print("python -m tests.bench.lanes: interrupted", file=sys.stderr)
        return 130
    except (AssertionError, OSError) as error:  # no Docker, or a stack that does not become what was waited for
        print(f"python -m tests.bench.lanes: {error}", file=sys.stderr)
        return 1
    finally:
        if not arguments.running:
            say("takes the stack down")
            stack.down()
    print(*report(quiet, flooded, arguments), sep="\n")
    wrong = (phase.waits.wrong or phase.waits.lost or phase.heavy_wrong or phase.proofs.proofs.wrong for phase in (quiet, flooded))
    return 1 if any(wrong) else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.lanes", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--running", action="store_true", help="measure a stack that runs already, and leave it running")
    parser.add_argument("--project", default=PROJECT, help="its name in docker compose")
    parser.add_argument("--port", type=int, default=8098, help="its HTTP_PORT")
    parser.add_argument("--prometheus-port", type=int, default=9098, help="its PROMETHEUS_PORT")
    parser.add_argument("--operators-port", type=int, default=8099, help="its OPERATORS_PORT")
    parser.add_argument("--rate", type=float, default=200.0, help="small numbers a second, whatever comes back")
    parser.add_argument("--seconds", type=float, default=15.0, help="of one round with the flood, and of one without")
    parser.add_argument("--rounds", type=int, default=2, help="how often both are measured, in turn")
    parser.add_argument("--small", type=int, default=12, metavar="DIGITS", help="of the numbers that are timed")
    parser.add_argument("--proof", type=int, default=150, metavar="DIGITS", help="of the primes whose proofs are timed")
    parser.add_argument(
        "--proofs", type=int, default=10, help="of these, one after the other, in each round with the flood and without"
    )
    parser.add_argument("--large", type=int, default=5_000, metavar="DIGITS", help="of the numbers of the flood")
    parser.add_argument("--waiting", type=int, default=64, help="large numbers that are asked and not answered, always")
    return parser.parse_args(arguments)


def say(doing: str) -> None:
    """Progress, for whoever sits at a terminal."""
    if sys.stderr.isatty():
        print(f"  {doing} …", file=sys.stderr, flush=True)


async def run(stack: Stack, arguments: argparse.Namespace) -> tuple[Phase, Phase]:
    """Rounds without and with the flood, in turn: what changes on the machine meets both alike."""
    say("draws the numbers")
    small, large = open_loop.draw(arguments.small), flood.composites(arguments.large)
    await open_loop.ask(stack.socket, small, arguments.rate, 2)  # what is done once, is done
    processes = find_processes(stack)
    quiet, flooded = Phase(), Phase()
    for round_ in range(arguments.rounds):
        say(f"round {round_ + 1} of {arguments.rounds}: without the flood")
        await observe(stack, quiet, small, processes, arguments)
        quiet.proofs += await short_proofs.ask(stack.socket, arguments.proof, arguments.proofs)
        say(f"round {round_ + 1} of {arguments.rounds}: with the flood")
        async with Flood(stack.socket, large, arguments.waiting) as load:
            await until(lambda: load.answered > 0, "the flood has begun")
            answered = load.answered
            await observe(stack, flooded, small, processes, arguments)
            flooded.heavy += load.answered - answered
            say(f"round {round_ + 1} of {arguments.rounds}: short proofs beside long ones")
            async with LongProofs(stack.socket):
                flooded.proofs += await short_proofs.ask(stack.socket, arguments.proof, arguments.proofs)
            flooded.heavy_wrong += load.wrong
            flooded.queued = await asyncio.to_thread(stack.total, 'max(primes_queue_waiting{lane="heavy"})')
        await until(lambda: not stack.total('sum(primes_web_jobs_pending{lane="heavy"})'), "the flood has drained")
    return quiet, flooded


async def until(condition: Callable[[], object], description: str) -> None:
    """Wait in a thread, while the clients go on."""
    await eventually(condition, description, 120)


async def observe(
    stack: Stack,
    phase: Phase,
    questions: Sequence[tuple[str, str]],
    processes: list[tuple[str, int]],
    arguments: argparse.Namespace,
) -> None:
    """One round; what the stack tells of itself is read before and after, so that the reading is not measured."""
    told = await asyncio.to_thread(read_told, stack)
    cpu, started = read_cpu(processes), time.monotonic()
    phase.waits += await open_loop.ask(stack.socket, questions, arguments.rate, arguments.seconds)
    phase.seconds += time.monotonic() - started
    phase.cpu += read_cpu(processes) - cpu
    phase.told += await asyncio.to_thread(read_told, stack) - told


def report(quiet: Phase, flooded: Phase, arguments: argparse.Namespace) -> Iterator[str]:
    """Four tables in Markdown and what they come to."""
    phases = {"without": quiet, "with": flooded}
    rounds = f"{arguments.rounds} times {arguments.seconds:g} s"
    yield f"{arguments.rate:g} numbers of {arguments.small} digits a second, open loop: {rounds} without a flood, {rounds} with it."
    yield f"The flood: {arguments.waiting} numbers of {arguments.large:,} digits, each replaced when it is answered."
    yield f"{flooded.heavy} of them were answered, {flooded.heavy_wrong} wrong; {flooded.queued:g} waited in the queue at the end."
    yield ""
    yield "| Flood | asked | lost | wrong | p50 (ms) | p90 (ms) | p99 (ms) | max (ms) |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, phase in phases.items():
        waits = " | ".join(f"{1000 * phase.waits.quantile(share):.1f}" for share in (0.5, 0.9, 0.99, 1))
        yield f"| {name} | {phase.waits.asked:,} | {phase.waits.lost} | {phase.waits.wrong} | {waits} |"
    yield ""
    yield f"| {arguments.proof}-digit proof | asked | wrong | first verdict, p50 (ms) | max (ms) | proof, p50 (ms) | max (ms) |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, told in (("without", quiet.proofs), (f"beside long numbers and {len(LONG)} long proofs of another", flooded.proofs)):
        waits = " | ".join(f"{1000 * each.quantile(share):.0f}" for each in (told.verdicts, told.proofs) for share in (0.5, 1))
        yield f"| {name} | {told.proofs.asked} | {told.proofs.wrong} | {waits} |"
    yield ""
    yield f"| What the processes tell | flood | observed | above {1000 * LAG:g} ms | p99 (ms, at most) | max (ms, at most) |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for name, phase in phases.items():
        for what, seen in (
            ("web, event-loop lag", phase.told.web),
            ("worker, event-loop lag", phase.told.worker),
            ("quick entries, wait for a worker", phase.told.queue),
        ):
            most = " | ".join(f"{1000 * seen.quantile(share):g}" for share in (0.99, 1))
            yield f"| {what} | {name} | {seen.count} | {seen.above(LAG)} | {most} |"
    yield ""
    yield "| CPU (% of one) | without | with |"
    yield "| --- | ---: | ---: |"
    for name in sorted(flooded.cpu, key=lambda name: -flooded.cpu[name]):
        yield f"| {name} | " + " | ".join(f"{100 * phase.cpu[name] / phase.seconds:.0f}" for phase in phases.values()) + " |"
    yield ""
    p99, late = flooded.waits.quantile(0.99), flooded.told.web.above(LAG)
    yield f"p99 below {1000 * WAITS:g} ms with the flood: {'yes' if p99 < WAITS else 'no'}, {1000 * p99:.1f} ms"
    longest = flooded.proofs.proofs.quantile(1)
    yield f"each short proof within {PROOF:g} s with it: {'yes' if longest < PROOF else 'no'}, {longest:.1f} s"
    yield f"web processes' event loops below {1000 * LAG:g} ms with it: {'no' if late else 'yes'}, {late} looks above"


if __name__ == "__main__":
    sys.exit(main())
