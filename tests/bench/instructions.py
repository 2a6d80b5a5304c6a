"""Instructions a job, which a busy machine does not change: `python -m tests.bench.instructions`, or `make bench-instructions`.

Valgrind counts those of a process, without the kernel's.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from services.jobs.messages import Answer, Delivery, Job
from services.web.sockets import frames
from services.worker.compute.answer import compute
from tests.bench import history, load, questions, report
from tests.bench.paths import WEB, Step, Steps
from tests.integration.processes import ROOT

BEFORE = 34  # rounds that are not counted: after them a session's history is full
COUNTED = 8
EPOCH = 1_800_000_000_000  # ms since 1970
WITHIN = 0.01  # of each other are two counts of the same code
LONGEST = 600  # seconds, which are one minute on an idle machine
COMPUTED = 3  # µs that each job says it took
QUEUED = 2  # ms, likewise
SOURCE = Path(__file__).with_name("count.c")
MASK = b"\x12\x34\x56\x78"
PLAIN, V1 = "plain", "v1"
SHAPES = ((16, 1), (4, 32))  # clients of one web process, and the numbers of each that come with one read


@dataclass(frozen=True, slots=True)
class Way:
    """Of so many clients' jobs through one part."""

    part: str
    protocol: str
    clients: int
    window: int

    @property
    def name(self) -> str:
        """By which `--only` finds it."""
        return f"{self.part}-{self.protocol}-{self.clients}x{self.window}"

    @property
    def jobs(self) -> int:
        """In a round."""
        return self.clients * self.window


WAYS = tuple(Way(part, protocol, *shape) for part in ("web", "worker") for shape in SHAPES for protocol in (PLAIN, V1))


class NoValgrind(Exception):
    """The machine cannot count instructions."""


def draw(way: Way) -> Steps:
    """What comes to a part on this way."""
    sessions = [f"session-{number:014}" for number in range(way.clients if way.protocol == V1 else 0)]
    numbers = iter(questions.draw((BEFORE + COUNTED) * way.jobs, questions.SEED))
    steps = []
    for n in range(BEFORE + COUNTED):
        asked = [Job(n * way.jobs + place + 1, str(next(numbers))) for place in range(way.jobs)]
        if sessions:
            owners = [sessions[place // way.window] for place in range(way.jobs)]
            asked = [msgspec.structs.replace(job, session=o, request=str(job.id)) for job, o in zip(asked, owners, strict=True)]
        steps.append(_step(way, n, asked))
    return Steps(sessions, steps, way.part, COUNTED)


def _step(way: Way, number: int, asked: list[Job]) -> Step:
    answers = [msgspec.structs.replace(compute(job, QUEUED), compute_us=COMPUTED) for job in asked]
    read = [b"".join(map(_frame, asked[first : first + way.window])) for first in range(0, way.jobs, way.window)]
    told: list[Answer] | list[Delivery] = answers
    if way.protocol == V1:
        of_session = range(number * way.window + 1, (number + 1) * way.window + 1)  # as finish.lua numbers them
        numbers = [n for _ in range(way.clients) for n in of_session]
        told = [Delivery(j.session, j.request, WEB, a, EPOCH, n) for j, a, n in zip(asked, answers, numbers, strict=True)]
    return Step(read, msgspec.msgpack.encode(told), [msgspec.msgpack.encode(asked)])


def _frame(job: Job) -> bytes:
    """As a client sends it: whole, masked, of less than 126 bytes."""
    text = job.number
    if job.session:
        text = f'{{"jsonrpc":"2.0","id":{job.request},"method":"is_prime","params":{{"number":"{job.number}"}}}}'
    return bytes((0x81, 0x80 | len(text))) + MASK + frames.mask(MASK, text.encode())


def count(ways: Sequence[Way]) -> dict[str, float]:
    """Instructions a job, by name of the way. Raises NoValgrind."""
    with tempfile.TemporaryDirectory(prefix="primes-bench-") as name:
        directory = Path(name)
        library = directory / "count.so"
        subprocess.run([load.compiler(), *load.FLAGS, "-shared", "-fPIC", "-o", library, SOURCE], check=True)
        for way in ways:
            (directory / way.name).write_bytes(msgspec.msgpack.encode(draw(way)))
        _go(directory, library, [way.name for way in ways])
        dumps = [path.read_text() for path in directory.glob("counts.*")]
    counted = totals(dumps)
    return {way.name: counted[way.name] / (COUNTED * way.jobs) for way in ways}


def totals(dumps: Iterable[str]) -> dict[str, int]:
    """Instructions by name of the way, from callgrind's files; what was not asked for by name is left out."""
    found = (
        re.search(r"^desc: Trigger: Client Request: (\S+)$.*^totals: (\d+)$", dump, re.MULTILINE | re.DOTALL) for dump in dumps
    )
    return {each[1]: int(each[2]) for each in found if each}


def _go(directory: Path, library: Path, ways: Sequence[str]) -> None:
    counting = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={directory}/counts"]
    command = [*counting, sys.executable, "-m", "tests.bench.paths", str(library), str(directory), *ways]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST)
    except FileNotFoundError:
        raise NoValgrind("no valgrind to count instructions; on Debian: apt-get install valgrind") from None
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()[-2000:]}")


def main(arguments: Sequence[str]) -> int:
    """Count, show; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.instructions", description="Count instructions a job.")
    parser.add_argument("--only", action="append", metavar="WAY", help=f"of {', '.join(way.name for way in WAYS)}; or a pattern")
    parser.add_argument("--keep", action="store_true", help="append what was counted to docs/performance-history.csv")
    told = parser.parse_args(arguments)
    try:
        found = count([way for way in WAYS if any(fnmatch(way.name, each) for each in told.only or ["*"])])
    except (NoValgrind, load.NoCompiler, RuntimeError) as error:
        print(f"python -m tests.bench.instructions: {error}", file=sys.stderr)
        return 1
    figures = [history.counted(instructions, name, WITHIN) for name, instructions in found.items()]
    print(*report.table(history.COMPARISON, history.compare(figures, history.read())), sep="\n")
    if told.keep:
        history.append(figures, history.commit_here())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
