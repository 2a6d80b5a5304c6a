"""What a mark tells of a request that takes long."""

from msgspec import Raw

from services.jobs.names import Lane
from services.web.v1.progress import read
from services.web.v1.responses import Progress

DEPTHS = {Lane.QUICK: 0, Lane.HEAVY: 3, Lane.PROOF: 7}
NOW = 1_700_000_010_000.0
ID = Raw(b'"a"')


def progress(text: bytes | None) -> Progress:
    return read('"a"', text, DEPTHS, NOW)


def test_what_waits_to_be_written_and_what_is_answered_just_now_is_queued_nowhere() -> None:
    assert progress(None) == progress(b"17") == Progress(ID, "queued")


def test_what_waits_in_a_lane_is_told_how_many_do() -> None:
    assert progress(b"heavy 17-0 web0 5") == Progress(ID, "queued", depth=3)


def test_what_runs_is_told_for_how_long() -> None:
    assert progress(b"heavy 17-0 web0 5 1700000007500") == Progress(ID, "running", seconds=2.5)


def test_a_worker_whose_clock_is_ahead_makes_no_negative_time() -> None:
    assert progress(b"heavy 17-0 web0 5 1700000099000") == Progress(ID, "running", seconds=0.0)


def test_what_is_being_proven_has_passed_the_tests() -> None:
    assert progress(b"proof 17-0 web0 5") == Progress(ID, "queued", depth=7, verdict="probably_prime")
