"""Python runs this first where its folder is in PYTHONPATH: it writes down which of our files the calls of a process enter."""

import os
import sys
from pathlib import Path
from types import FrameType

FOLDER = f"{Path(__file__).parents[3] / 'services'}{os.sep}"
REPOSITORY = len(f"{Path(__file__).parents[3]}{os.sep}")


class Walk:
    """A line each time that a call goes from one file into another."""

    def __init__(self, path: str) -> None:
        self._log = open(path, "a", buffering=1)  # noqa: SIM115  # for as long as the process lives
        self._last = ""

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """What the interpreter tells of each call and return."""
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(FOLDER) and file != self._last:
            self._last = file
            self._log.write(f"{file[REPOSITORY:]}\n")


if path := os.environ.get("WALK"):
    sys.setprofile(Walk(path).note)
