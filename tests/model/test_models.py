"""The models of docs/model hold, and each of their rules is needed: without it the checker finds what breaks."""

from pathlib import Path

import pytest

from tests.model.spin import Model

CLAIMS = ["answered_once", "none_forgotten", "nothing_unwanted"]


def test_the_lease_holds(tmp_path: Path) -> None:
    model = Model("lease", tmp_path)
    for claim in CLAIMS:
        outcome = model.check(claim)
        print(f"{claim}: {outcome.states:,} states")
        assert outcome.whole
        assert not outcome.violated


@pytest.mark.parametrize(
    ("switch", "claim"),
    [
        pytest.param("UNMARKED", "answered_once", id="an answer counts whatever the mark says"),
        pytest.param("UNFENCED", "nothing_unwanted", id="a worker moves a run that it lost"),
        pytest.param("AJAR", "none_forgotten", id="a run is joined while it is ended"),
        pytest.param("HASTY", "none_forgotten", id="an entry is deleted before it is answered"),
    ],
)
def test_the_lease_needs_its_rule(switch: str, claim: str, tmp_path: Path) -> None:
    assert Model("lease", tmp_path, switch).check(claim).violated == claim


def test_the_session_holds(tmp_path: Path) -> None:
    outcome = Model("session", tmp_path).check()
    print(f"session: {outcome.states:,} states")
    assert outcome.whole
    assert not outcome.violated


@pytest.mark.parametrize(
    ("switch", "broken"),
    [
        pytest.param("DEAF", "seat[0].held+seat[1].held", id="an eviction that overtakes the reply is dropped"),
        pytest.param("STEALING", "seat[0].held+seat[1].held", id="two holders of as many moves take the session from each other"),
        pytest.param("SAME_TERM", "open==0", id="Redis was set back and nothing tells"),
        pytest.param("UNCROSSED", "shown&", id="a request that crosses its answer is answered again"),
    ],
)
def test_the_session_needs_its_rule(switch: str, broken: str, tmp_path: Path) -> None:
    assert broken in Model("session", tmp_path, switch).check().violated
