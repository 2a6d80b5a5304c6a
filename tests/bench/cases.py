"""The cases: what is asked of a row's servers, and what is measured meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from tests.bench import bulk, cpu, load, stacks
from tests.bench.load import Load, Run
from tests.bench.measurement import Measurement
from tests.bench.stacks import Row, Start

WARM_UP = 0.4  # seconds before the clock starts: connections, batches and caches are as they will be
OPEN_CLIENTS = 64  # of the open loop
IDLE = 10_000  # sockets over four web processes; a process of the smallest machine may have 20,000 open files, nginx two a socket
STOCK = ("stock", "compose-stock")
ANSWERING = (*STOCK, "picows", "direct")  # rows that answer by themselves
OURS = ("primes", "compose")


@dataclass(frozen=True, slots=True)
class Question:
    """What a case is told when it is measured."""

    questions: Path  # the numbers to ask
    seconds: float  # that one measurement takes
    repetition: int


class Case(Protocol):
    """One case."""

    @property
    def name(self) -> str:
        """By which `--only` finds it."""

    @property
    def rows(self) -> tuple[str, ...]:
        """That it is for."""

    @property
    def servers(self) -> Start | None:
        """Servers of its own, if those that other cases use would not do."""

    def measure(self, row: Row, question: Question) -> Measurement:
        """Once. Raises Failed when an answer is wrong or missing."""
        ...


@dataclass(frozen=True, slots=True)
class Closed:
    """So many clients have so many numbers in flight each; other sockets may be open besides."""

    name: str
    clients: int
    window: int
    rows: tuple[str, ...]
    protocol: load.Protocol = "plain"
    sockets: int = 0
    servers: Start | None = None

    def measure(self, row: Row, question: Question) -> Measurement:
        """Cost, speed, latency, fairness."""
        sockets = max(self.sockets, self.clients)
        with Load(row.port, sockets, question.questions, protocol=self.protocol, address=row.address) as clients:
            # A deep queue takes its time to empty: it is filled once only.
            clients.closed(self.clients, min(self.window, 32), WARM_UP)
            run = partial(clients.closed, self.clients, self.window, question.seconds)
            return _watch(self.name, row, question, run)


@dataclass(frozen=True, slots=True)
class Open:
    """Numbers come at a fixed rate, whatever is unanswered."""

    name: str
    rate: float
    rows: tuple[str, ...]
    servers: Start | None = None

    def measure(self, row: Row, question: Question) -> Measurement:
        """Latency from the time at which each number was to be asked."""
        with Load(row.port, OPEN_CLIENTS, question.questions, address=row.address) as clients:
            clients.open(OPEN_CLIENTS, self.rate, WARM_UP)
            return _watch(self.name, row, question, partial(clients.open, OPEN_CLIENTS, self.rate, question.seconds))


@dataclass(frozen=True, slots=True)
class Idle:
    """Sockets that do nothing, on servers that had none before; then each asks once."""

    name: str
    sockets: int
    rows: tuple[str, ...]
    servers: Start | None

    def measure(self, row: Row, question: Question) -> Measurement:
        """Memory of the web processes a socket, speed of accepting, and whether all are answered."""
        with Load(row.port, len(row.components["web"]), question.questions, address=row.address) as first:
            first.closed(len(row.components["web"]), 1, WARM_UP)  # what a process loads at its first socket is no socket's
            before, spent = cpu.memory(row.components["web"]), sum(cpu.used(row.components).values())
            with Load(row.port, self.sockets, question.questions, address=row.address) as clients:
                memory = (cpu.memory(row.components["web"]) - before) / self.sockets / 1024
                opening = (sum(cpu.used(row.components).values()) - spent) / self.sockets
                found = _watch(self.name, row, question, partial(clients.closed, self.sockets, 1, 0))
                return msgspec.structs.replace(found, memory=memory, accepted=clients.opened.rate, opening=opening)


@dataclass(frozen=True, slots=True)
class Bulk:
    """An upload of 50 MB."""

    name: str
    rows: tuple[str, ...]
    servers: Start | None = None

    def measure(self, row: Row, question: Question) -> Measurement:
        """Answers a second from the first byte sent to the last byte read."""
        before = cpu.used(row.components)
        took = bulk.post(row.address, row.port, question.questions)
        after = cpu.used(row.components)
        costs = {name: (after[name] - before[name]) / took.answers for name in after}
        return Measurement(
            self.name, row.name, question.repetition, took.answers, took.answers / took.seconds, costs, runtime=row.runtime
        )


def _watch(name: str, row: Row, question: Question, ask: Callable[[], Run]) -> Measurement:
    """Ask, and look at the servers before and after."""
    commands = row.commands() if row.commands else 0
    before = cpu.used(row.components)
    run = ask()
    after = cpu.used(row.components)
    return Measurement(
        name,
        row.name,
        question.repetition,
        run.answered,
        run.rate,
        {component: (after[component] - before[component]) / run.answered for component in after},
        run.cpu_us / run.answered,
        run.latency(0.5),
        run.latency(0.99),
        run.spread,
        run.fewest,
        (row.commands() - commands) / run.answered if row.commands else None,
        runtime=row.runtime,
    )


LOOPS = ((64, 1), (256, 1), (16, 32))  # clients, window
RATES = (200, 1_000)  # a second
SOCKETS = (64, 1_000, IDLE)  # open, of which 64 ask
QUEUE_CLIENTS = 128
QUEUES = {"512": 4, "10k": 80, "100k": 781}  # jobs in flight, all of which wait in the queue: the window of each of the clients
SCALES = tuple((webs, workers) for webs in (1, 2, 4) for workers in (1, 2))


def idle(row: str) -> Idle:
    """Of one row: it gets servers of its own."""
    return Idle(f"idle-{row}", IDLE, (row,), stacks.ROWS[row])


def _loops(clients: int, window: int) -> list[Case]:
    """Both protocols one after the other: `primes.v1` is compared with the plain protocol of other rows."""
    plain = Closed(f"plain-{clients}x{window}", clients, window, (*ANSWERING, *OURS))
    return [plain, Closed(f"v1-{clients}x{window}", clients, window, OURS, "v1")]


CASES: tuple[Case, ...] = (
    *(case for clients, window in LOOPS for case in _loops(clients, window)),
    *(Open(f"rate-{rate}", rate, (*STOCK, *OURS)) for rate in RATES),
    *(Closed(f"sockets-{sockets}", 64, 1, OURS, sockets=sockets) for sockets in SOCKETS),
    *(Closed(f"queue-{name}", QUEUE_CLIENTS, window, OURS) for name, window in QUEUES.items()),
    Bulk("bulk", OURS),
    *(idle(row) for row in ("stock", "primes")),
    *(
        Closed(f"scale-{webs}x{workers}", 16, 32, ("primes",), servers=partial(stacks.primes, webs=webs, workers=workers))
        for webs, workers in SCALES
    ),
)
