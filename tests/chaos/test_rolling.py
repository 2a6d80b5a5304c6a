"""The former release is rolled to this one and back, while clients ask, upload and want proofs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.cases import FULL, Load
from tests.chaos.history import Figures
from tests.chaos.processes import RECOVERY
from tests.chaos.rolling import FORMER_RELEASE, Rolling, Work, check_out
from tests.integration.processes import ROOT
from tests.integration.waiting import wait_until

LOAD = Load(100, 1_000, 0.5, 100) if FULL else Load(20, 1_000, 0.5, 100)  # more than the rolls leave time for


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """The files of the former release."""
    return check_out(FORMER_RELEASE, tmp_path / "former")


@pytest.fixture
def stage(former: Path, tmp_path: Path) -> Iterator[Rolling]:
    """The former release, with its users in Redis."""
    stage = Rolling(tmp_path, code=former)
    yield stage
    stage.close()


def test_a_roll_from_the_former_release_and_back_loses_nothing(
    stage: Rolling, former: Path, record: Callable[[str, str, Figures], None]
) -> None:
    with LOAD.crowd(stage.url) as crowd, Work(stage) as work:
        wait_until(lambda: crowd.answered and work.uploads and work.proofs, "answers of each kind come")
        stage.bring_users(ROOT, "--widen")
        stage.roll(ROOT)
        stage.bring_users(ROOT)
        there = work.uploads, work.proofs
        wait_until(lambda: work.uploads > there[0] and work.proofs > there[1], "answers of each kind come from this version")
        stage.roll(former, web_first=True)
        stage.stack.wait_ready(seconds=RECOVERY)
        crowd.stop_asking()
    figures = crowd.figures()
    print(figures, f"uploads {work.uploads}, proofs {work.proofs}")
    record("processes", "rolled from the former release and back", figures)
    assert figures.clean, crowd.blamed()
