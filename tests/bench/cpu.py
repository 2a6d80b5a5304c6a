"""CPU time and memory of processes with all that they started, from /proc."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")  # µs
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Times:
    """One process."""

    parent: int
    ticks: int  # user and system time, its own and that of children that ended


def parse(stat: str) -> Times:
    """Read /proc/PID/stat; its second field, the name, may hold blanks and brackets."""
    fields = stat.rpartition(")")[2].split()
    return Times(int(fields[1]), sum(map(int, fields[11:15])))


def family(roots: Iterable[int], table: Mapping[int, Times]) -> set[int]:
    """Those of the roots that are there, and all their descendants."""
    found: set[int] = set()
    fresh = {pid for pid in roots if pid in table}
    while fresh:
        found |= fresh
        fresh = {pid for pid, times in table.items() if times.parent in fresh} - found
    return found


def read() -> dict[int, Times]:
    """Every process that runs now."""
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                table[int(entry)] = parse(Path(f"/proc/{entry}/stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
    return table


def used(components: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """µs of CPU by component, each the processes that it began with and all that these started."""
    table = read()
    return {name: sum(table[pid].ticks for pid in family(roots, table)) * TICK for name, roots in components.items()}


def memory(roots: Sequence[int]) -> int:
    """Bytes of these processes and their descendants in memory."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE for pid in family(roots, read()))
