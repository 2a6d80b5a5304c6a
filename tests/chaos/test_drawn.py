"""What a seed draws, against real processes: clients that do all that clients may, and faults of every part meanwhile."""

import os
from collections.abc import Callable

import pytest

from tests.chaos.cases import FULL
from tests.chaos.drawn import Faults, crowd, leftovers
from tests.chaos.history import Figures
from tests.chaos.processes import Processes, have_each_worker_compute, wait_for_all
from tests.integration.waiting import wait_until
from tests.seeds import of_commit

CLIENTS = 16  # of more, two cores would have costly numbers and proofs left for minutes after the last was asked
SECONDS = 600.0 if FULL else 20.0
BOUND = SECONDS + 300.0  # in which the last answers come, and what is left is looked for


@pytest.mark.timeout(BOUND)
def test_what_a_seed_draws_loses_nothing(stage: Processes, record: Callable[[str, str, Figures], None]) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or of_commit())
    print("seed", seed)
    with crowd(stage, seed, CLIENTS, SECONDS) as asking:
        wait_until(lambda: asking.answered > CLIENTS // 2, "answers come")
        with Faults(stage, seed) as faults:
            faults.over.wait(SECONDS)
        print(*faults.told, sep="\n")
        stage.wait_ready()
        wait_for_all(asking)
    figures = asking.figures()
    print(figures)
    record("processes", f"drawn by seed {seed}", figures)
    assert figures.clean, asking.blamed()
    have_each_worker_compute(stage)
    wait_until(lambda: not leftovers(stage), "nothing is left")
    assert all(service.running for service in stage.services.values())
