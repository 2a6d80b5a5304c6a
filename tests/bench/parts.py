"""Measures how one proof by elliptic curves scales over workers, in virtual time: `make bench-parts`.

A chain proves a random prime. Its parts are computed one after another in this process, and the CPU time of each is how long a
virtual worker takes for it. The chain's own time is spent between them, as it is by the one coordinator of all workers.
"""

import argparse
import heapq
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import gmpy2
from gmpy2 import mpz

from certificates import read, verify
from services.worker.prove.certify import load_pari
from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.ecpp.parts import Failed, Outcome, compute
from tests.bench.engine import circumstances

MEMORY = 256  # MiB of PARI's stack


class Unproven(Exception):
    """The chain came to no certificate."""


@dataclass
class Run:
    """What one proof took."""

    workers: int
    wall: float = 0.0  # virtual seconds
    chain: float = 0.0  # seconds of the coordinator's CPU
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))  # of the workers' CPU, by kind of part
    parts: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0  # seconds of a part
    unwanted: float = 0.0  # seconds of parts whose outcome was not wanted any more
    steps: int = 0

    @property
    def cpu(self) -> float:
        """Seconds of all workers."""
        return sum(self.seconds.values())


def main() -> int:
    """Measure and show; returns the exit status."""
    options = build_parser().parse_args()
    n = draw(options.digits, options.seed)
    try:
        load_pari(MEMORY)  # so that no part is charged for it
        paris = prove_by_pari(n) if options.pari else None
        print(*head(options, paris), sep="\n", flush=True)
        alone = None
        for workers in options.workers:
            run = Simulation(n, workers, options.latency / 1000).run()
            alone = alone or run
            print(row(run, alone, paris), flush=True)
    except KeyboardInterrupt:
        print("python -m tests.bench.parts: interrupted", file=sys.stderr)
        return 130
    except Unproven as error:
        print(f"python -m tests.bench.parts: {error}", file=sys.stderr)
        return 1
    print("", *(f"- {line}" for line in circumstances("tests.bench.parts")), sep="\n")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.parts", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--digits", type=int, default=300, help="of the prime; 1,000 take some minutes for each count of workers")
    parser.add_argument("--workers", type=counts, default=(1, 2, 8, 64), metavar="N,…", help="how many there are")
    parser.add_argument("--seed", type=int, default=1, help="by which the prime is drawn")
    parser.add_argument("--latency", type=float, default=3.0, metavar="MS", help="of handing a part out and its outcome back")
    parser.add_argument("--pari", action="store_true", help="measure PARI's own proof of the same prime, too")
    return parser


def counts(text: str) -> tuple[int, ...]:
    """Numbers with commas between them."""
    found = tuple(int(word) for word in text.split(","))
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers above 0, got {text}")
    return found


def draw(digits: int, seed: int) -> mpz:
    """A random prime of so many digits, or one above them for the last of these."""
    return gmpy2.next_prime(mpz(random.Random(seed).randrange(10 ** (digits - 1), 10**digits)))


def prove_by_pari(n: mpz) -> float:
    """Seconds of CPU."""
    pari, _ = load_pari(MEMORY)
    start = time.thread_time()
    pari(gmpy2.digits(n)).primecert()
    return time.thread_time() - start


class Simulation:
    """List scheduling: a worker that is free takes the part that is wanted most."""

    def __init__(self, n: mpz, workers: int, latency: float) -> None:
        self._latency = latency
        self._run = Run(workers)
        self._free = workers
        self._now = 0.0  # virtual seconds
        self._running: list[tuple[float, int]] = []  # a heap: when parts will come back
        self._outcomes: dict[int, Outcome] = {}  # of these
        start = time.thread_time()
        self._chain = Chain(n)
        self._spend(start)

    def _spend(self, start: float) -> None:
        """The coordinator's time since then passes."""
        spent = time.thread_time() - start
        self._run.chain += spent
        self._now += spent

    def run(self) -> Run:
        """Prove it, and check the certificate. Raises Unproven."""
        while not self._chain.failure and self._chain.certificate is None:
            self._hand_out()
            if not self._running:
                raise Unproven("the chain wants no part, and has no certificate")
            self._take_back()
        if self._chain.failure or self._chain.certificate is None:
            raise Unproven(self._chain.failure)
        certificate = read(self._chain.certificate)
        verify(certificate)
        run = self._run
        run.wall, run.steps = self._now, certificate.length
        return run

    def _hand_out(self) -> None:
        while self._free:
            start = time.thread_time()
            wanted = self._chain.next()
            self._spend(start)
            if wanted is None:
                return
            number, part = wanted
            start = time.thread_time()
            outcome = compute(part, MEMORY)
            seconds = time.thread_time() - start
            if isinstance(outcome, Failed):
                print(f"a {type(part).__name__} failed: {outcome.reason}", file=sys.stderr)
            kind = type(part).__name__
            self._run.seconds[kind] += seconds
            self._run.parts[kind] += 1
            self._run.longest = max(self._run.longest, seconds)
            self._outcomes[number] = outcome
            heapq.heappush(self._running, (self._now + self._latency + seconds, number))
            self._free -= 1

    def _take_back(self) -> None:
        when, number = heapq.heappop(self._running)
        self._now = max(self._now, when)
        self._free += 1
        outcome = self._outcomes.pop(number)
        if not self._chain.is_wanted(number):
            self._run.unwanted += outcome.compute_us / 1e6
        start = time.thread_time()
        self._chain.learn(number, outcome)
        self._spend(start)


def head(options: argparse.Namespace, paris: float | None) -> Iterator[str]:
    """What stands above the table's rows."""
    yield f"A prime of {options.digits} digits, seed {options.seed}; {options.latency:g} ms for each part's way out and back."
    if paris is not None:
        yield f"PARI alone takes {paris:.1f} s of CPU."
    yield ""
    yield (
        "| Workers | Wall, s | Efficiency | Workers' CPU, s | of that unwanted | of PARI's | Chain, s | Steps | Parts "
        "| Part, mean ms | longest ms | CPU by kind, s |"
    )
    yield "| ---: |" + " ---: |" * 10 + " --- |"


def row(run: Run, alone: Run, paris: float | None) -> str:
    """One count of workers; the efficiency is the CPU time of the first count over all the time that workers were there."""
    parts = sum(run.parts.values())
    kinds: Sequence[str] = [f"{kind} {seconds:.1f} ({run.parts[kind]})" for kind, seconds in sorted(run.seconds.items())]
    cells = [
        f"{run.workers}",
        f"{run.wall:.1f}",
        f"{alone.cpu / (run.workers * run.wall):.2f}",
        f"{run.cpu:.1f}",
        f"{run.unwanted:.1f}",
        f"{run.cpu / paris:.2f}" if paris else "",
        f"{run.chain:.2f}",
        f"{run.steps}",
        f"{parts}",
        f"{1000 * run.cpu / parts:.0f}",
        f"{1000 * run.longest:.0f}",
        ", ".join(kinds),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
