"""The Redis that executes everything: a server of its own on a Unix socket, whose wall clock is the history's."""

import ctypes
import hashlib
import mmap
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import hiredis

from local import programs
from tests.simulation import clock
from tests.simulation.resp import Command, end_of_reply, pack

SHIM = Path(__file__).with_name("clock.c")
START = 60.0  # seconds until the server must listen
PIECE = 1 << 18  # bytes read at once
END = b"simulation:end"  # channel whose message says that all earlier publications were heard


class Connection:
    """Commands go out together, and the call returns with their replies as they came."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._buffer = bytearray()

    def ask(self, payload: bytes, count: int) -> list[bytes]:
        """So many replies."""
        self._socket.sendall(payload)
        replies: list[bytes] = []
        buffer, start = self._buffer, 0
        while len(replies) < count:
            end = end_of_reply(buffer, start) if len(buffer) > start else -1
            if end < 0:
                buffer += self._receive()
                continue
            replies.append(bytes(buffer[start:end]))
            start = end
        del buffer[:start]
        return replies

    def _receive(self) -> bytes:
        piece = self._socket.recv(PIECE)
        if not piece:
            raise ConnectionError("the Redis of the simulation has ended")
        return piece

    def close(self) -> None:
        self._socket.close()


class Listener:
    """Hears every channel."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.sendall(pack(("PSUBSCRIBE", "*")))
        self._reader = hiredis.Reader()
        self._next()

    def hear(self, mark: bytes) -> list[tuple[bytes, bytes]]:
        """Channels and payloads of what was published before this mark."""
        heard: list[tuple[bytes, bytes]] = []
        while True:
            _, _, channel, payload = self._next()
            if channel == END:
                if payload == mark:
                    return heard
            else:
                heard.append((channel, payload))

    def _next(self) -> Any:
        while (message := self._reader.gets()) is False:
            self._reader.feed(self._socket.recv(PIECE))
        return message

    def close(self) -> None:
        self._socket.close()


class RealRedis:
    """One for all histories of a process; each begins with an empty one."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="primes-sim-"))
        clock_file = self._directory / "clock"
        clock_file.write_bytes(bytes(mmap.PAGESIZE))
        with clock_file.open("r+b") as file:
            self._clock = mmap.mmap(file.fileno(), 0)
        self.set_clock(0)
        path = self._directory / "redis.sock"
        command: list[str | Path] = [
            programs.find(programs.REDIS).path,
            "--port",
            "0",
            "--unixsocket",
            path,
            *("--save", "", "--appendonly", "no", "--lazyfree-lazy-expire", "yes"),
            # That thread waits until a time of the wall clock, which in a history never comes: it would take a CPU for itself.
            *("--jemalloc-bg-thread", "no"),
        ]
        environment = {"LD_PRELOAD": str(_build_shim(self._directory)), "SIMULATED_CLOCK": str(clock_file)}
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
            preexec_fn=_end_with_the_parent,  # noqa: PLW1509  # nothing else runs yet
        )
        self._await(path)
        self.plain, self.typed = Connection(path), Connection(path)  # RESP2 and RESP3
        self._greetings = {typed: self._greet(typed=typed) for typed in (False, True)}
        self.listener = Listener(path)
        self._marks = 0
        self._scripts: dict[bytes, bytes] = {}  # digests by source

    def _await(self, path: Path) -> None:
        until = clock.real_time() + START
        while True:
            try:
                return Connection(path).close()
            except OSError:
                if self._process.poll() is not None or clock.real_time() > until:
                    raise RuntimeError("the Redis of the simulation did not start") from None
                time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.plain.close()
        self.typed.close()
        self.listener.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._directory)

    def set_clock(self, seconds: float) -> None:
        """So much after the beginning of the history."""
        struct.pack_into("<q", self._clock, 0, int((clock.START + seconds) * 1e6))

    def run(self, *command: str | bytes | int) -> Any:
        """The reply to one command."""
        reader = hiredis.Reader()
        reader.feed(self.plain.ask(pack(command), 1)[0])
        return reader.gets()

    def execute(self, commands: list[Command], *, typed: bool, publishing: bool) -> tuple[list[bytes], list[tuple[bytes, bytes]]]:
        """Replies, and what was published meanwhile."""
        payload = b"".join(map(pack, commands))
        count = len(commands)
        mark = b""
        if publishing:
            self._marks += 1
            mark = b"%d" % self._marks
            payload += pack(("PUBLISH", END, mark))
            count += 1
        replies = (self.typed if typed else self.plain).ask(payload, count)
        if not publishing:
            return replies, []
        replies.pop()
        return replies, self.listener.hear(mark)

    def _greet(self, *, typed: bool) -> bytes:
        return (self.typed if typed else self.plain).ask(pack(("HELLO", 3 if typed else 2)), 1)[0]

    def greeting(self, *, typed: bool) -> bytes:
        """The reply to HELLO."""
        return self._greetings[typed]

    def load(self, source: bytes) -> bytes:
        """The digest of a script, which it keeps from now on: so each is compiled once for all histories."""
        if source not in self._scripts:
            self._scripts[source] = self.run("SCRIPT", "LOAD", source)
        return self._scripts[source]

    def clear(self) -> None:
        """As it was when it started, but for the scripts, which it keeps."""
        self.run("REPLICAOF", "NO", "ONE")
        self.run("FLUSHALL")

    def save(self, slot: int) -> None:
        """Keep what it holds now."""
        self.run("SELECT", slot)
        self.run("FLUSHDB")
        self.run("SELECT", 0)
        keys: list[bytes] = self.run("KEYS", "*")
        if keys:
            self.plain.ask(b"".join(pack(("COPY", key, key, "DB", slot)) for key in keys), len(keys))

    def restore(self, slot: int) -> None:
        """Hold what was kept then, once."""
        self.run("FLUSHDB")
        self.run("SWAPDB", 0, slot)


def _end_with_the_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h


def _build_shim(directory: Path) -> Path:
    """The clock's library, compiled once for each of its texts."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise RuntimeError("the simulation needs a C compiler; on Debian: apt-get install gcc libc6-dev")
    name = f"primes-clock-{hashlib.sha256(SHIM.read_bytes()).hexdigest()[:16]}.so"
    built = Path(tempfile.gettempdir()) / name
    if not built.exists():
        fresh = directory / name
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", fresh, SHIM, "-ldl"], check=True)
        shutil.move(fresh, built)
    return built
