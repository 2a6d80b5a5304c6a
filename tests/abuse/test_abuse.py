"""Whatever one client does, nobody else is refused, no process ends, memory stays bounded, and all recovers.

Times are not asserted: `make abuse` shows them.
"""

from collections.abc import Iterator

import pytest
import uvloop

from tests.abuse.__main__ import measure, start_service
from tests.abuse.attacks import ATTACKS, MIXED
from tests.bench.stacks import Row

SECONDS, SCALE, SEED = 1.0, 0.02, 1
MOST = {"nginx": 512, "web": 4 * 256, "redis": 1_024}  # MiB, as docker-compose.yml has it


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Row]:
    with start_service(tmp_path_factory.mktemp("abuse")) as row:
        yield row


@pytest.mark.parametrize("name", [*ATTACKS, MIXED])
def test_nobody_else_is_refused_whatever_one_client_does(service: Row, name: str) -> None:
    seen = uvloop.run(measure(service, name, SECONDS, SEED, scale=SCALE))
    assert seen.alive
    assert not seen.told, "another client got something else than the right answer"
    assert seen.recovered < float("inf"), "jobs, uploads or sockets were left"
    assert {part: peak for part, peak in seen.peak.items() if peak > MOST.get(part, peak)} == {}
    assert sum(seen.attacker.values()) > 0
