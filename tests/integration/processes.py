"""Processes of the test's own: started in their own session, ended by id, looked at through /proc."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import AnyStr as Text

from tests.integration.waiting import wait_until

ROOT = Path(__file__).parents[2]

KEPT_LINES = 60  # of a log, shown when a test fails
DEATH = 10  # seconds that the kernel gets to end what was killed


class Program:
    """One process and its log."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, code: Path = ROOT
    ) -> None:
        """`code`: the checkout in which it runs, and whose modules it finds first."""
        self.name = name
        self.log = log
        bare = {name: value for name, value in os.environ.items() if not name.startswith("PRIMES_")}
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                command,
                cwd=code,
                env={**bare, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """As the kernel does when memory runs out: no warning."""
        self._process.kill()
        self._process.wait(DEATH)

    def wait(self, seconds: float = 30) -> int:
        """Its exit status once it ended by itself."""
        return self._process.wait(seconds)

    def close(self) -> None:
        """End it and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(DEATH)

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-KEPT_LINES:])


@contextlib.contextmanager
def killed_at_last(process: "subprocess.Popen[Text]") -> Iterator["subprocess.Popen[Text]"]:
    """The process, which is killed when the block is left, so that a test that failed does not wait for it."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    """Ids of the processes that this one started and that still run."""
    found = (entry for entry in os.listdir("/proc") if entry.isdigit())
    return [int(entry) for entry in found if (stat := _stat(int(entry))) and int(stat[1]) == pid and stat[0] != "Z"]


def cmdline(pid: int) -> bytes:
    """The words of its command, each ended by a NUL; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def computing(worker: int) -> list[int]:
    """Ids of a worker's child processes that compute; those that prove are not of them."""
    return [child for child in children(worker) if b"compute.child" in (words := cmdline(child)) and b"--prove" not in words]


def provers(worker: int) -> list[int]:
    """Ids of a worker's child processes that prove what is asked for; the one that proves quick primes unasked is not of them."""
    return [child for child in children(worker) if b"--prove" in (words := cmdline(child)) and b"--briefly" not in words]


def state(pid: int) -> str:
    """The kernel's letter: R runs, S sleeps, T is stopped; empty when it is gone (or waits to be reaped)."""
    stat = _stat(pid)
    return "" if stat is None or stat[0] == "Z" else stat[0]


def cpu(pid: int) -> float:
    """Seconds that it has computed; 0 when it is gone."""
    stat = _stat(pid)
    return 0.0 if stat is None else (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Bytes that it has in memory."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on: state, parent, ... (man 5 proc); None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def freeze(pid: int) -> None:
    """Stop it until `thaw`: it holds what it holds and computes nothing."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state(pid) == "T", f"process {pid} stands still")


def thaw(pid: int) -> None:
    """Let it go on."""
    os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stopped for the length of the block."""
    freeze(pid)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            thaw(pid)
