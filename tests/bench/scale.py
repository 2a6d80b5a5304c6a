"""Shows what one machine bears: `make bench-scale`, `python -m tests.bench.scale sockets|queue`.

`sockets`: so many are open at once, each asks, and 64 of them go on asking. `queue`: so many jobs wait for their answers at once.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import cpu, load, measurement, questions, running, stacks
from tests.bench.load import Load, Run
from tests.bench.report import figure, table
from tests.bench.stacks import Row

SOCKETS, JOBS = 50_000, 1_000_000
MOST_SOCKETS = 14_000  # of one load generator, which has an address of its own; a process of nginx has two files for each
ASKING, WINDOW = 64, 1
SECONDS = 5.0
REST = 30.0  # seconds in which idle sockets are pinged once
MOST_WINDOW = 4_000  # numbers in flight of one client
PATIENCE = 600  # seconds for handshakes, and for the last answers


def main() -> int:
    """Measure and show; returns the exit status."""
    arguments = _parse(sys.argv[1:])
    return running.finish("tests.bench.scale", lambda: _measure(arguments))


def _measure(arguments: argparse.Namespace) -> int:
    asked = questions.write(load.BUILD / "questions.txt")
    with tempfile.TemporaryDirectory(prefix="primes-bench-") as directory:
        lines = list(arguments.measure(Path(directory), asked, arguments))
    print(*lines, "", f"{measurement.machine()}. {measurement.versions()}.", sep="\n")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    kinds = parser.add_subparsers(required=True, metavar="sockets|queue")
    sockets = kinds.add_parser(
        "sockets", help="sockets that are open at once", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    sockets.add_argument("--sockets", type=int, default=SOCKETS, help="how many")
    sockets.set_defaults(measure=measure_sockets)
    queue = kinds.add_parser("queue", help="jobs that wait at once", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    queue.add_argument("--jobs", type=int, default=JOBS, help="how many")
    queue.set_defaults(measure=measure_queue)
    return parser.parse_args(arguments)


def measure_sockets(directory: Path, asked: Path, arguments: argparse.Namespace) -> Iterator[str]:
    """What a socket takes, and what a job costs with all of them open and with few."""
    nginx_workers = -(-arguments.sockets // (MOST_SOCKETS // 2))
    options = {"web": ["--clients-by", "socket"]}  # else these clients, of a few addresses, had the shares of a few
    with stacks.primes(directory, nginx_workers=nginx_workers, options=options) as row, ExitStack() as opened:
        running.settle(row)
        with Load(row.port, ASKING, asked) as few:
            alone = _cost(row, few)
        before = memory(row)
        clients = list(_open(row, asked, arguments.sockets, opened))
        say(f"{arguments.sockets:,} sockets are open")
        after = memory(row)
        runs = [each.closed(count, 1, 0) for each, count in clients]
        assert sum(run.answered for run in runs) == arguments.sockets
        say("each of them was answered")
        busy = cpu.used(row.components)
        running.rest(REST)
        idle = {name: (used - busy[name]) / REST / 1e6 for name, used in cpu.used(row.components).items()}
        crowded = _cost(row, clients[0][0])
    yield f"{arguments.sockets:,} sockets over {stacks.WEBS} web processes and {nginx_workers} of nginx, all answered once."
    yield f"Opened at {arguments.sockets / sum(each.opened.seconds for each, _ in clients):,.0f} a second."
    yield ""
    rows = [
        (name, figure((after[name] - before[name]) / arguments.sockets / 1024), f"{after[name] / 2**20:,.0f}", figure(idle[name]))
        for name in row.components
    ]
    yield from table(("part", "KiB a socket", "MiB in all", "cores while all are idle"), rows)
    yield ""
    costs = [(name, *map(figure, (alone[name], crowded[name], crowded[name] / alone[name]))) for name in (*row.components, "all")]
    yield from table(("CPU µs a job, 64 × 1", f"{ASKING} open", f"{arguments.sockets:,} open", "ratio"), costs)


def _open(row: Row, asked: Path, count: int, opened: ExitStack) -> Iterator[tuple[Load, int]]:
    """Load generators with addresses of their own, each with how many sockets it has."""
    for number in range(-(-count // MOST_SOCKETS)):
        sockets = min(MOST_SOCKETS, count - number * MOST_SOCKETS)
        source = f"127.0.0.{number + 2}"
        yield opened.enter_context(Load(row.port, sockets, asked, patience=PATIENCE, source=source)), sockets


def _cost(row: Row, clients: Load) -> dict[str, float]:
    """µs of CPU a job by component."""
    clients.closed(ASKING, WINDOW, 1.0)
    before = cpu.used(row.components)
    run = clients.closed(ASKING, WINDOW, SECONDS)
    after = cpu.used(row.components)
    costs = {name: (after[name] - before[name]) / run.answered for name in after}
    return {**costs, "all": sum(costs.values())}


def measure_queue(directory: Path, asked: Path, arguments: argparse.Namespace) -> Iterator[str]:
    """What a job takes and costs while so many wait."""
    clients = -(-arguments.jobs // MOST_WINDOW)
    window = -(-arguments.jobs // clients)
    # All clients of this benchmark have one address, and one may have half of what all may.
    options = {"web": ["--max-pending", str(arguments.jobs)]}
    with stacks.primes(directory, options=options) as row, Load(row.port, clients, asked, patience=PATIENCE) as asking:
        running.settle(row)
        asking.closed(clients, 32, 1.0)
        before, most = memory(row), memory(row)
        used, commands, traffic = cpu.used(row.components), row.commands, row.traffic
        assert commands and traffic  # of this row's Redis
        ran, passed = commands(), traffic()
        run = _watch(row, asking, clients, window, most)
        ran, passed = commands() - ran, traffic() - passed
        costs = {name: (each - used[name]) / run.answered for name, each in cpu.used(row.components).items()}
    yield f"{clients * window:,} jobs in flight, of {clients} clients with {window:,} each; {run.answered:,} answered, all rightly."
    yield (
        f"{run.rate:,.0f} answers a second, p50 {run.latency(0.5) / 1000:,.1f} s, p99 {run.latency(0.99) / 1000:,.1f} s;"
        f" of Redis {ran / run.answered:.3f} commands and {passed / run.answered:,.0f} bytes a job."
    )
    yield ""
    rows = [(name, figure(costs[name]), f"{before[name] / 2**20:,.0f}", f"{most[name] / 2**20:,.0f}") for name in row.components]
    yield from table(("part", "CPU µs a job", "MiB before", "MiB at most"), rows)


def _watch(row: Row, asking: Load, clients: int, window: int, most: dict[str, int]) -> Run:
    """Keep so many in flight for some time; `most` becomes what the parts had of memory at most."""
    with running.beside(lambda: asking.closed(clients, window, 4 * SECONDS)) as run:
        while not run.done():
            for name, used in memory(row).items():
                most[name] = max(most[name], used)
            running.rest(0.5)
    return run.result()


def memory(row: Row) -> dict[str, int]:
    """Bytes of each component's processes, with all that they started."""
    return {name: cpu.memory(roots) for name, roots in row.components.items()}


def say(what: str) -> None:
    """Progress."""
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
