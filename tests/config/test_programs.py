"""`make local` takes the servers of this machine that are new enough, else those of wheels, and says what it found."""

from dataclasses import replace
from pathlib import Path

import pytest

from local import programs


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which servers are looked for, apart from wheels."""
    monkeypatch.setattr(programs, "SEARCH_PATH", str(tmp_path))
    return tmp_path


def install(folder: Path, says: str) -> Path:
    """Put a redis-server there that tells this of itself."""
    program = folder / "redis-server"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


def test_a_redis_that_is_new_enough_is_taken(machine: Path) -> None:
    installed = install(machine, "Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64")
    found = programs.find(programs.REDIS)
    assert found == programs.Found(installed, f"redis-server 7.2.4 from {installed}")


def test_the_redis_of_debian_12_is_too_old_and_that_of_a_wheel_is_taken(machine: Path) -> None:
    install(machine, "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64")
    assert "from the wheel" in programs.find(programs.REDIS).description


def test_what_was_found_and_what_was_expected_is_told(machine: Path) -> None:
    installed = install(machine, "Redis server v=7.0.15 sha=00000000:0")
    with pytest.raises(programs.NotFound, match=rf"{installed} is version 7\.0\.15, expected 7\.2 or newer"):
        programs.find(replace(programs.REDIS, wheels={}))


def test_a_program_that_does_not_run_here_is_told(machine: Path) -> None:
    installed = machine / "redis-server"
    installed.write_bytes(b"\x7fELF of another architecture")
    installed.chmod(0o755)
    with pytest.raises(programs.NotFound, match=f"{installed} does not run here, expected 7"):
        programs.find(replace(programs.REDIS, wheels={}))
