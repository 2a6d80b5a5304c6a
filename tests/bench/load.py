"""The load generator, `load.c`, as a child process: compiled at its first use, told what to do, its reports read."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from tests.bench import histogram
from tests.integration.processes import ROOT

SOURCE = Path(__file__).with_name("load.c")
BUILD = ROOT / "build" / "bench"  # git ignores it
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]

Protocol = Literal["plain", "v1"]

FEW = 30  # answers of a client below which its 99th percentile says nothing


class NoCompiler(Exception):
    """The machine has no C compiler."""


class Failed(Exception):
    """An answer was wrong or missing, a socket was closed, or the load generator could not do what it was told."""


class Opened(msgspec.Struct, frozen=True):
    """All sockets are open."""

    connected: int
    seconds: float

    @property
    def rate(self) -> float:
        """Sockets a second."""
        return self.connected / self.seconds


class Run(msgspec.Struct, frozen=True):
    """What one run came to; a client is its answers and its latency's 50th and 99th percentile in µs."""

    sent: int
    answered: int
    wrong: int
    missing: int
    closed: int
    seconds: float
    cpu_us: float  # of the load generator itself
    first_wrong: str
    histogram: list[tuple[int, int]]
    clients: list[tuple[int, int, int]]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def spread(self) -> float:
        """The worst client's 99th percentile, in 50th percentiles of that client; 0 if none has answers enough to tell."""
        return max((p99 / max(p50, 1) for count, p50, p99 in self.clients if count >= FEW), default=0.0)

    @property
    def fewest(self) -> float:
        """The answers of the client that got fewest, as a share of the mean."""
        counts = [count for count, _, _ in self.clients]
        return min(counts) * len(counts) / sum(counts) if sum(counts) else 0.0

    def latency(self, share: float) -> float:
        """In ms."""
        return histogram.quantile(self.histogram, share) / 1000


def compiler() -> str:
    """Of C. Raises NoCompiler."""
    found = shutil.which(os.environ.get("CC", "cc"))
    if found is None:
        raise NoCompiler("no C compiler for what the benchmark measures with; on Debian: apt-get install gcc libc6-dev")
    return found


def build() -> Path:
    """The program, compiled again if its source changed. Raises NoCompiler."""
    program = BUILD / "load"
    if program.exists() and program.stat().st_mtime > SOURCE.stat().st_mtime:
        return program
    BUILD.mkdir(parents=True, exist_ok=True)
    fresh = program.with_suffix(f".{os.getpid()}")
    subprocess.run([compiler(), *FLAGS, "-o", fresh, SOURCE], check=True)
    fresh.rename(program)  # another run may be starting the old one
    return program


class Load:
    """Sockets that are open from the beginning to the end of the block, so that no run has handshakes in it."""

    def __init__(
        self,
        port: int,
        clients: int,
        questions: Path,
        *,
        protocol: Protocol = "plain",
        rate: float = 0,  # sockets opened a second; 0: as fast as the server accepts
        address: str = "127.0.0.1",
        patience: int = 60,  # seconds that all handshakes, and the last answers of a run, may take
        source: str = "",  # the address from which it connects
    ) -> None:
        command = [str(build()), address, str(port), protocol, str(questions), str(clients), str(rate), str(patience)]
        command += [source] if source else []
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the caller, which ends it
        )
        try:
            self.opened = msgspec.json.decode(self._read(), type=Opened)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def closed(self, clients: int, window: int, seconds: float, jobs: int = 10_000_000) -> Run:
        """Each client has `window` numbers in flight until the time is over or so many are asked; with 0 seconds, once."""
        return self._run(f"closed {clients} {window} {seconds} {jobs}")

    def open(self, clients: int, rate: float, seconds: float) -> Run:
        """The clients ask in turn, `rate` numbers a second; latencies count from the time at which each was to be asked."""
        return self._run(f"open {clients} {rate} {seconds}")

    def _run(self, order: str) -> Run:
        assert self._process.stdin
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        run = msgspec.json.decode(self._read(), type=Run)
        if run.wrong or run.missing or run.closed:
            raise Failed(
                f"{order}: of {run.sent:,} answers {run.wrong:,} are wrong ({run.first_wrong or 'none'}),"
                f" {run.missing:,} missing; {run.closed:,} sockets were closed by the server"
            )
        return run

    def _read(self) -> str:
        assert self._process.stdout and self._process.stderr
        line: str = self._process.stdout.readline()
        if not line:
            raise Failed(self._process.stderr.read().strip())
        return line

    def _end(self) -> None:
        self._process.kill()
        self._process.wait(10)  # seconds that the kernel gets
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):  # what it was told last
                if stream:
                    stream.close()
