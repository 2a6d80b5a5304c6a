"""Lines on the terminal, each with the name of the process that wrote it."""

import itertools
import os
import signal
from typing import TextIO

# cyan, green, yellow, blue, magenta, then their bright forms: red stays free for what the processes colour themselves.
COLOURS = (36, 32, 33, 34, 35, 96, 92, 93, 94, 95)
NAME_WIDTH = len("prometheus")  # the longest name


class Terminal:
    """Writes whole lines only: what a process has begun waits for its newline, so that lines never mix."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._coloured = out.isatty() and "NO_COLOR" not in os.environ
        self._next_colour = itertools.cycle(COLOURS)
        self._colours: dict[str, int] = {}  # of each name, given at its first line
        self._begun: dict[str, bytes] = {}  # of each name, the line that still waits for its newline

    def write(self, name: str, output: bytes) -> None:
        """Print the lines that this output completes."""
        *lines, rest = (self._begun.pop(name, b"") + output).split(b"\n")
        for line in lines:
            self._print(name, line)
        if rest:
            self._begun[name] = rest

    def end(self, name: str) -> None:
        """Print what the process left without a newline when it ended."""
        if rest := self._begun.pop(name, b""):
            self._print(name, rest)

    def _print(self, name: str, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        try:
            print(f"{self._prefix(name)} {text}", file=self._out, flush=True)
        except BrokenPipeError:  # nobody reads any more (`make local | head`): end in order, in silence
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
            signal.raise_signal(signal.SIGTERM)

    def _prefix(self, name: str) -> str:
        prefix = f"{name:>{NAME_WIDTH}}:"
        if not self._coloured:
            return prefix
        if name not in self._colours:
            self._colours[name] = next(self._next_colour)
        return f"\033[{self._colours[name]}m{prefix}\033[0m"
