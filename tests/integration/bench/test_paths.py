"""The ways whose instructions are counted, gone without counting."""

from itertools import islice

import pytest
import uvloop

from tests.bench.instructions import WAYS, Way, draw
from tests.bench.paths import run_web, run_worker

ROUNDS = 3
RUN = {"web": run_web, "worker": run_worker}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_job_of_a_way_is_answered(way: Way) -> None:
    told = draw(way)
    rounds = islice(told.steps, ROUNDS)
    uvloop.run(RUN[way.part](told, rounds))  # raises where a job or a client is without answer
    assert not list(rounds)
