"""Compares the time and the verdicts of primality tests by digits: `make bench-engine`, `python -m tests.bench.engine`."""

import argparse
import os
import platform
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import gmpy2
import msgspec

from services.jobs.evidence import fails_strong_test
from tests.bench.testers import TESTERS, Report, Request

PAGE = Path(__file__).parents[2] / "docs" / "engine.md"
BEGIN, END = "<!-- measured by make bench-engine -->", "<!-- end of what was measured -->"

ONCE = 500_000_000  # ns: a call that takes longer is measured once
DEATH = 10  # seconds that the kernel gets to end a process that was killed
SIEVED = gmpy2.primorial(2**16)  # a composite without small factors is coprime to this: trial division does not find any
# How far the next prime is from a number that was drawn, where finding it anew would take long.
KNOWN_GAPS = {3_000: 7_222}
MERSENNE = {6_002: 19_937}  # digits and exponent: no prime of so many digits is found in reasonable time
# Digits, and how many numbers share one measurement: cheap tests differ from number to number.
COUNTS = {10: 200, 19: 200, 20: 200, 24: 200, 50: 50, 100: 5, 300: 2, 1_000: 1, 3_000: 1}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    digits: tuple[int, ...]
    repetitions: int
    seconds: int  # of CPU that one call may take


WHOLE = Plan(tuple(COUNTS), 5, 10)
QUICK = Plan((10, 19, 20, 24, 50, 100), 3, 2)
LONG = Plan((*COUNTS, *MERSENNE), 7, 100)

Cell = tuple[str, int, str]  # tester, digits, kind
KINDS = {"prime": True, "composite": False}


class TooSlow(Exception):
    """The tester was ended because it took too long."""


class Computer:
    """One tester's process; a new one after it was ended."""

    def __init__(self, name: str, module: str = "tests.bench.testers") -> None:
        self._command = [sys.executable, "-m", module, name]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=DEATH)

    def measure(self, numbers: list[str], seconds: int) -> Report:
        """Times these numbers. Raises TooSlow when it takes more CPU than so many seconds."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,  # Ctrl-C is for the command alone, which ends this
            )
        assert self._process.stdin and self._process.stdout  # both are pipes
        self._process.stdin.write(msgspec.json.encode(Request(numbers, seconds)) + b"\n")
        self._process.stdin.flush()
        if line := self._process.stdout.readline():
            return msgspec.json.decode(line, type=Report)
        status = self._process.wait(DEATH)
        self._process = None
        if status != -signal.SIGXCPU:
            raise RuntimeError(f"{' '.join(self._command)} ended with status {status}")
        raise TooSlow


class Results:
    """Times, verdicts, and what was not measured."""

    def __init__(self) -> None:
        self.times: dict[Cell, list[float]] = defaultdict(list)  # ns of each repetition
        self.slow: dict[tuple[str, str], tuple[int, int]] = {}  # tester and kind: digits from which on, and seconds
        self.verdicts: dict[str, dict[str, bool]] = defaultdict(dict)  # number: tester: prime?

    def skips(self, cell: Cell) -> bool:
        """Whether this cell needs no more measurement, or one of fewer digits took too long."""
        tester, digits, kind = cell
        times = self.times[cell]
        return (bool(times) and max(times) > ONCE) or digits >= self.slow.get((tester, kind), (digits + 1, 0))[0]

    def disagreements(self) -> Iterator[str]:
        """Numbers about which two testers differ, or one and what the number was made to be."""
        for number, verdicts in self.verdicts.items():
            if len(set(verdicts.values())) > 1:
                told = ", ".join(f"{name}: {'prime' if prime else 'composite'}" for name, prime in verdicts.items())
                yield f"{number}: {told}"


def main() -> int:
    """Measure, show, keep; returns the exit status."""
    arguments = _parse(sys.argv[1:])
    plan = QUICK if arguments.quick else LONG if arguments.long else WHOLE
    progress = Progress(plan, sys.stderr.isatty())
    try:
        results = run(plan, progress)
    except KeyboardInterrupt:
        progress.end()
        print("python -m tests.bench.engine: interrupted, everything that it started has ended", file=sys.stderr)
        return 130
    progress.end()
    text = "\n".join(describe(results, plan))
    print(text)
    if arguments.write:
        PAGE.write_text(replace(PAGE.read_text(), text))
    wrong = list(results.disagreements())
    for line in wrong:
        print(f"python -m tests.bench.engine: engines disagree about {line}", file=sys.stderr)
    return 1 if wrong else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="up to 100 digits, half a minute")
    length.add_argument("--long", action="store_true", help="larger numbers too, and calls of up to 100 s: half an hour")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.relative_to(PAGE.parents[1])}")
    return parser.parse_args(arguments)


class Progress:
    """One line of a terminal that says what is measured."""

    def __init__(self, plan: Plan, shown: bool) -> None:
        self._cells = plan.repetitions * len(plan.digits) * len(KINDS) * len(TESTERS)
        self._done = 0
        self._shown = shown

    def tell(self, doing: str) -> None:
        """What comes next."""
        if self._shown:
            percent = 100 * self._done // self._cells
            print(f"\r{percent:3} %  {doing:60.60}", end="", file=sys.stderr, flush=True)

    def step(self) -> None:
        """One cell is done, or needs nothing."""
        self._done += 1

    def end(self) -> None:
        """Leave the line empty."""
        if self._shown:
            print(f"\r{'':70}\r", end="", file=sys.stderr, flush=True)


def run(plan: Plan, progress: Progress) -> Results:
    """Every cell once, then every cell again, and so on: what changes on the machine meets all testers alike."""
    results = Results()
    progress.tell("draws the numbers")
    numbers = {(digits, kind): list(draw(digits, kind)) for digits in plan.digits for kind in KINDS}
    for (_, kind), drawn in numbers.items():
        for number in drawn:
            results.verdicts[number]["made to be"] = KINDS[kind]
    with ExitStack() as stack:
        computers = {name: stack.enter_context(Computer(name)) for name in TESTERS}
        for repetition in range(plan.repetitions):
            for (digits, kind), drawn in numbers.items():
                for name, computer in computers.items():
                    progress.tell(f"{repetition + 1} of {plan.repetitions}: {kind} of {digits:,} digits, {name}")
                    measure(results, computer, (name, digits, kind), drawn, plan.seconds)
                    progress.step()
    return results


def measure(results: Results, computer: Computer, cell: Cell, numbers: list[str], seconds: int) -> None:
    """One repetition of one cell."""
    if results.skips(cell):
        return
    name, digits, kind = cell
    try:
        report = computer.measure(numbers, seconds * len(numbers) if digits >= 50 else seconds)
    except TooSlow:
        results.slow[name, kind] = digits, seconds
        return
    results.times[cell].append(report.nanoseconds)
    for number, prime in zip(numbers, report.prime, strict=True):
        results.verdicts[number][name] = prime


def draw(digits: int, kind: str, count: int = 0) -> Iterator[str]:
    """`count` numbers of so many digits, or as many as `COUNTS` says; the same in every run."""
    if kind == "prime" and digits in MERSENNE:
        yield (gmpy2.mpz(2) ** MERSENNE[digits] - 1).digits()
        return
    pseudo = random.Random(digits)
    for _ in range(count or COUNTS.get(digits, 1)):
        n = gmpy2.mpz(pseudo.randrange(10 ** (digits - 1), 10**digits))
        yield (following_prime(n, digits) if kind == "prime" else following_composite(n)).digits()


def following_prime(n: gmpy2.mpz, digits: int) -> gmpy2.mpz:
    """The next prime, known before for the largest."""
    return n + KNOWN_GAPS[digits] if digits in KNOWN_GAPS else gmpy2.next_prime(n)


def following_composite(n: gmpy2.mpz) -> gmpy2.mpz:
    """The next composite without small factors; below 2^32 without those that leave any at all."""
    small = SIEVED if n.bit_length() > 40 else gmpy2.primorial(1_000)
    n += 1 - n % 2
    while gmpy2.gcd(n, small) != 1 or not fails_strong_test(n, 2):
        n += 2
    return n


def describe(results: Results, plan: Plan) -> Iterable[str]:
    """Two tables in Markdown, and with what they were made."""
    for kind in KINDS:
        yield f"CPU time of one call, median of up to {plan.repetitions} repetitions, for a {NOUNS[kind]}:"
        yield ""
        yield from table(results, plan, kind)
        yield ""
    yield (
        "± is half the distance between the extremes, of the median. Without it the cell was measured once, since a call took more "
        f'than {ONCE / 1e9:g} s. "> {plan.seconds} s": ended after so much CPU time, and not tried with more digits. '
        f"{len(results.verdicts):,} numbers; engines disagree about {sum(1 for _ in results.disagreements())} of them."
    )
    yield ""
    yield from (f"- {line}" for line in circumstances())


NOUNS = {"prime": "prime", "composite": "composite without small factors"}


def table(results: Results, plan: Plan, kind: str) -> Iterator[str]:
    """One row a tester."""
    head = ["Call", *(['"Prime" means'] if kind == "prime" else []), *(f"{digits:,} digits" for digits in plan.digits)]
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join(["---"] * (len(head) - len(plan.digits)) + ["---:"] * len(plan.digits)) + " |"
    for name, tester in TESTERS.items():
        worth = [tester.worth] if kind == "prime" else []
        cells = [show(results, (name, digits, kind)) for digits in plan.digits]
        yield "| " + " | ".join([tester.call, *worth, *cells]) + " |"


def show(results: Results, cell: Cell) -> str:
    """Median and spread, or the bound that was reached."""
    if not (times := results.times[cell]):
        return f"> {results.slow[cell[0], cell[2]][1]} s"
    median = statistics.median(times)
    spread = f" ±{50 * (max(times) - min(times)) / median:.0f} %" if len(times) > 1 else ""
    return f"{duration(median)}{spread}"


def duration(nanoseconds: float) -> str:
    """Two digits and a unit: "0.84 µs", "68 ms"."""
    unit, name = next(pair for pair in ((1e3, "µs"), (1e6, "ms"), (1e9, "s")) if nanoseconds < 1e3 * pair[0] or pair[0] == 1e9)
    value = nanoseconds / unit
    return f"{value:.{0 if value >= 10 else 1 if value >= 1 else 2}f} {name}"


def circumstances(module: str = "tests.bench.engine") -> Iterator[str]:
    """What the figures depend on."""
    from cypari import pari

    installed = ("gmpy2", "python-flint", "cypari", *(["sympy"] if find_spec("sympy") else []))
    packages = ", ".join(f"{name} {version(name)}" for name in installed)
    libraries = f"{gmpy2.mp_version()}, PARI {'.'.join(str(part) for part in pari.version())}"
    yield f"Versions: {packages}; {libraries}; Python {platform.python_version()}"
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    yield f"Machine: {model[1] if model else platform.machine()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}"
    yield f"Command: `{' '.join([f'python -m {module}', *sys.argv[1:]])}`, {time.strftime('%Y-%m-%d')}"


def replace(page: str, text: str) -> str:
    """The page with this text between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise ValueError(f"expected {BEGIN!r} and {END!r} in {PAGE}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
