"""The names in Redis."""

import pytest

from services.jobs import names
from services.jobs.names import Lane


def test_no_two_things_share_a_name() -> None:
    all_names = [names.DEAD, names.results("a"), names.results("b"), names.pulse("a"), names.pulse("b")]
    all_names += [name(lane) for lane in Lane for name in (names.stream, names.bell)]
    assert len(set(all_names)) == len(all_names)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (names.stream(Lane.QUICK), "{primes}:jobs:quick"),
        (names.bell(Lane.HEAVY), "primes:bell:heavy"),
        (names.results("web0-1"), "primes:results:web0-1"),
        (names.pulse("web0-1"), "primes:pulse:web0-1"),
        (names.DEAD, "{primes}:dead"),
        (names.CANCELLATIONS, "primes:cancellations"),
        (names.upload("x"), "{primes}:upload:x"),
        (names.notices("web0-1"), "primes:notices:web0-1"),
        (names.question("x"), "{primes}:question:x"),
        (names.askers(Lane.PROOF, "17-0"), "{primes}:askers:proof:17-0"),
        (names.asker("web0-1", 5), "web0-1 5"),
        (names.certificate("x"), "{primes}:certificate:x"),
    ],
)
def test_a_name_is_the_same_for_processes_of_every_version(name: str, expected: str) -> None:
    # a rolling update runs old and new processes side by side
    assert name == expected


def test_a_mark_tells_where_its_job_is_and_perhaps_since_when_it_runs() -> None:
    assert names.Mark.read(b"heavy 17-0 web0-1a 5") == (Lane.HEAVY, "17-0", "web0-1a", 5, 0)
    running = names.Mark.read(b"quick 17-0 web0-1a 5 1795454158536")
    assert isinstance(running, names.Mark)
    assert running.started == 1795454158536


def test_in_the_place_of_a_mark_stands_the_number_of_the_answer() -> None:
    assert names.Mark.read(b"17") == 17
