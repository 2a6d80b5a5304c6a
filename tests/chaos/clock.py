"""A clock that can be set for one program, by libfaketime."""

from collections.abc import Mapping
from pathlib import Path

import pytest

LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"  # where Debian's package has it, for each architecture


class Clock:
    """What runs in its environment reads the time from it; how long things take remains true."""

    def __init__(self, directory: Path) -> None:
        """Skips the test where there is no libfaketime."""
        found = sorted(Path("/").glob(LIBRARY.removeprefix("/")))
        if not found:
            pytest.skip(f"no {LIBRARY} (Debian: faketime)")
        self._file = directory / "clock"
        self._library = found[0]
        self.set(0)

    def set(self, minutes: int) -> None:
        """So many minutes from the right time, from now on."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{minutes:+}m")
        written.replace(self._file)  # it is read again and again: never half of it

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program is started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",  # else a new time is seen ten seconds later
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
