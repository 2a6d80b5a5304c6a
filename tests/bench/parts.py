"""Measures how one proof by elliptic curves scales over workers, in virtual time: `make bench-parts`.

A chain proves a random prime. Its parts are computed one after another in this process, and the CPU time of each is how long a
virtual worker takes for it, and the chain's own how long its coordinator does. What is handed out when is decided as in a worker.
"""

import argparse
import heapq
import itertools
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import gmpy2
from gmpy2 import mpz

from certificates import read, verify
from services.worker.parts.handout import Handout, Move
from services.worker.prove.certify import load_pari
from services.worker.prove.ecpp import discriminants
from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.ecpp.parts import Failed, Outcome, compute, decode_part
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

    def note(self, kind: str, seconds: float) -> None:
        """A part was computed."""
        self.seconds[kind] += seconds
        self.parts[kind] += 1
        self.longest = max(self.longest, seconds)

    @property
    def cpu(self) -> float:
        """Seconds of all workers."""
        return sum(self.seconds.values())


def main() -> int:
    """Measure and show; returns the exit status."""
    options = build_parser().parse_args()
    n = draw(options.digits, options.seed)
    try:
        load_pari(MEMORY)  # so that no part is charged for it, nor the chain for tables that its process makes once
        for bit in range(sum(abs(prime) < discriminants.TIERS[-1] for prime in discriminants.PRIMES)):
            discriminants.groups(bit)
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
    parser.add_argument("--latency", type=float, default=1.0, metavar="MS", help="of a command to Redis; each part takes three")
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
    """Workers with one child process each, the board between them, and the coordinator, which hands out as it does in a worker."""

    def __init__(self, n: mpz, workers: int, latency: float) -> None:
        """`latency`: seconds until a command to Redis, or what it publishes, has arrived."""
        self._latency = latency
        self._run = Run(workers)
        self._now = 0.0  # virtual seconds
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []  # a heap: when, in which order, and what happens then
        self._idle = [f"worker{number}" for number in range(workers)]  # they looked in vain, and wait for the bell
        self._board: dict[int, bytes] = {}  # parts that wait
        self._told: list[tuple[int, str, Outcome]] = []  # what the coordinator has not learnt yet
        self._busy = False  # whether it learns or offers
        self._chain = Chain(n)
        self._handout = Handout(self._chain)

    def run(self) -> Run:
        """Prove it, and check the certificate. Raises Unproven."""
        self._go_on()
        while self._events and not self._chain.over:
            self._now, _, happens = heapq.heappop(self._events)
            happens()
        if self._chain.certificate is None:
            raise Unproven(self._chain.failure or "nothing is under way, and there is no certificate")
        certificate = read(self._chain.certificate)
        verify(certificate)
        self._run.wall, self._run.steps = self._now, certificate.length
        return self._run

    def _later(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now + seconds, next(self._order), happens))

    def _go_on(self) -> None:
        """The coordinator learns what it was told, and offers what follows from that."""
        start = time.thread_time()
        while self._told and not self._chain.over:
            number, worker, outcome = self._told.pop(0)
            if not self._chain.is_wanted(number):
                self._run.unwanted += outcome.compute_us / 1e6
            self._handout.learn(number, worker, outcome, self._now)
        move = self._handout.move(self._now)
        spent = time.thread_time() - start
        self._run.chain += spent
        self._busy = True
        self._later(spent + self._latency, partial(self._offer, move))

    def _offer(self, move: Move) -> None:
        rings = not self._board
        for number in move.withdrawn:
            self._board.pop(number, None)
        self._board.update(move.parts)
        if rings and self._board:
            idle, self._idle = self._idle, []
            for worker in idle:
                self._later(2 * self._latency, partial(self._take, worker))  # the bell, and the command
        self._handout.see(len(self._board), self._now)
        self._busy = False
        if self._told:
            self._go_on()

    def _take(self, worker: str) -> None:
        if not self._board:
            self._idle.append(worker)
            return
        number = next(iter(self._board))
        start = time.thread_time()
        part = decode_part(self._board.pop(number))
        outcome = compute(part, MEMORY)
        seconds = time.thread_time() - start
        if isinstance(outcome, Failed):
            print(f"a {type(part).__name__} failed: {outcome.reason}", file=sys.stderr)
        self._run.note(type(part).__name__, seconds)
        self._later(seconds + self._latency, partial(self._tell, number, worker, outcome))
        self._later(seconds + self._latency, partial(self._take, worker))

    def _tell(self, number: int, worker: str, outcome: Outcome) -> None:
        self._told.append((number, worker, outcome))
        if not self._busy:
            self._go_on()


def head(options: argparse.Namespace, paris: float | None) -> Iterator[str]:
    """What stands above the table's rows."""
    yield f"A prime of {options.digits} digits, seed {options.seed}; {options.latency:g} ms for each command to Redis."
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
