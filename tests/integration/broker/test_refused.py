"""Processes whose Redis refuses what they need: none ends, each says that it is not ready, and goes on when it is served again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.plain_clients import ask_all, question
from tests.integration.refusals import busy, moved, start_clustered, without_slots
from tests.integration.stack import Stack
from tests.integration.waiting import wait_until


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A web process and a worker around a cluster's only node."""
    directory: Path = tmp_path_factory.mktemp("clustered")
    stack = Stack(directory)
    start_clustered(stack.redis)
    stack.web()
    stack.worker()
    yield stack
    stack.close()


@pytest.mark.parametrize("refusal", [busy, without_slots, moved], ids=lambda refusal: refusal.__name__)
def test_processes_outlive_what_redis_refuses_and_say_so_meanwhile(clustered: Stack, refusal: Callable[[Any], Any]) -> None:
    clustered.wait_ready()
    web = clustered.services[0]
    with refusal(clustered.redis):
        wait_until(lambda: not any(service.ready() for service in clustered.services), "nobody says that it is ready")
    clustered.wait_ready()
    assert ask_all([(web.url, [question(97), question(91), question(2**521 - 1)])]).clean  # type: ignore[attr-defined]
