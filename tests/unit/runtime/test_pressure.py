"""A process knows whether it waits for a processor for longer than it has one."""

import os
import subprocess
import sys
import time
from pathlib import Path

from services.runtime.pressure import Pressure

SECONDS = 20  # a bound for what takes tenths of one


def test_each_look_tells_of_the_time_since_the_last_one(tmp_path: Path) -> None:
    counts = tmp_path / "schedstat"
    counts.write_text("1000 5000 3\n")
    pressure, told = Pressure(counts), []
    for line in ("1100 5200 4\n", "1400 5200 5\n", "1400 5200 5\n", "1500 5301 6\n"):
        with counts.open("r+") as file:  # the same file: it stays open
            file.write(line)
        told.append(pressure.look())
    assert told == [True, False, False, True]


def test_without_counts_no_machine_is_full(tmp_path: Path) -> None:
    assert not Pressure(tmp_path / "none").look()


def test_a_machine_with_more_to_do_than_processors_is_full() -> None:
    burner = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(burner) for _ in range(4 * (os.cpu_count() or 1))]  # our own program
    try:
        pressure, end = Pressure(), time.monotonic() + SECONDS
        full = False
        while not full and time.monotonic() < end:
            until = time.monotonic() + 0.1
            while time.monotonic() < until:
                pass
            full = pressure.look()
    finally:
        for each in burners:
            each.kill()
            each.wait()
    assert full
