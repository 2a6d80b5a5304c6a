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
        (names.stream(Lane.QUICK), "primes:jobs:quick"),
        (names.bell(Lane.HEAVY), "primes:bell:heavy"),
        (names.results("web0-1"), "primes:results:web0-1"),
        (names.pulse("web0-1"), "primes:pulse:web0-1"),
        (names.DEAD, "primes:dead"),
        (names.upload("x"), "primes:upload:x"),
        (names.notices("web0-1"), "primes:notices:web0-1"),
    ],
)
def test_a_name_is_the_same_for_processes_of_every_version(name: str, expected: str) -> None:
    # a rolling update runs old and new processes side by side
    assert name == expected
