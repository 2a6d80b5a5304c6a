"""Parts take as long as they should, on machines of any speed and for any number of workers."""

import pytest

from services.worker.prove.ecpp.pace import LEAST_TARGET_US, LEAST_US, SHARED_US, TARGET_US, TEST, Pace, Paces


@pytest.mark.parametrize("speed", [0.1, 1.0, 10.0])
def test_parts_take_as_long_as_they_should(speed: float) -> None:
    pace = Pace(TEST)
    for _ in range(20):
        items = pace.count(2_000, TARGET_US)
        pace.learn(2_000, items, round(items * speed * 4_000))
    assert pace.count(2_000, TARGET_US) == pytest.approx(TARGET_US / (speed * 4_000), rel=0.1, abs=1)


def test_a_wrong_clock_makes_no_endless_parts() -> None:
    pace = Pace(TEST)
    for _ in range(50):
        pace.learn(1_000, 1_000_000, 1)
    assert pace.count(1_000, TARGET_US) < 20_000


def test_more_workers_get_smaller_parts() -> None:
    paces = Paces()
    assert paces.target_us == TARGET_US
    paces.workers = 8
    assert LEAST_TARGET_US < paces.target_us < TARGET_US
    paces.workers = 1_000
    assert paces.target_us == LEAST_TARGET_US


def test_workers_share_what_waits() -> None:
    paces = Paces()
    alone = paces.share(paces.tests, 1_000, 40)
    assert alone == 40
    paces.workers = 4
    assert paces.share(paces.tests, 1_000, 200) == 50
    assert paces.share(paces.tests, 1_000, 4_000) == round(SHARED_US / 4 / 600)
    assert paces.share(paces.tests, 1_000, 4) == round(LEAST_US / 600)
    assert paces.share(paces.tests, 1_000, 4, 60_000) == 100
