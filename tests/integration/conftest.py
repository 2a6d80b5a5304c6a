"""Stacks for the tests: a whole one that all share, one whose workers each test brings along, and one of a test's own."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.jobs.names import Lane
from tests.integration.redis_server import RedisServer
from tests.integration.stack import Service, Stack, Web, Worker
from tests.integration.waiting import wait_until


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, Any]:
    """A failed test shows the end of every log of its stack."""
    report = yield
    if report.failed:
        stacks = {value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Stack)}
        report.sections += [(f"log of {name}", text) for stack in stacks for name, text in stack.logs()]
    return report


class Whole(Stack):
    """Two web processes and two workers, whose short lease lets a test wait until one runs out."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.redis.start()
        self.webs = [self.web("web0"), self.web("web1")]
        self.workers = [self.worker(name, "--lease", "2") for name in ("worker0", "worker1")]
        self.wait_ready()

    @property
    def worked(self) -> float:
        """Jobs that the workers have answered; each is counted when its answer is sent, which may be heard sooner."""
        return sum(worker.metric("primes_worker_jobs_total") for worker in self.workers)


class Front(Stack):
    """Redis and one web process; each test starts workers with the settings that it needs, or takes the kept one."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.redis.start()
        self.web0: Web = self.web("web0", "--operators-access", str(self.redis.operators_access))
        self.kept: Worker | None = None
        self.wait_ready()

    @property
    def settled(self) -> bool:
        """Whether no job is left of the tests so far."""
        return self.web0.pending == 0 and sum(self.redis.length(lane) for lane in Lane) == 0

    @property
    def worker0(self) -> Worker:
        """A worker with the settings that users get, kept for the tests that need no other."""
        if self.kept is None:
            self.kept = self.worker("worker0")
        return self.kept

    def clear(self, *keep: Service | None) -> None:
        """End what the tests started, except what is kept for the next."""
        if guests := [service for service in self.services if service not in (self.web0, *keep)]:
            self.end(*guests)
        if self.kept not in keep:
            self.kept = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, without processes around it."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def _wholes() -> Iterator[list[Whole]]:
    wholes: list[Whole] = []
    yield wholes
    for whole in wholes:
        whole.close()


@pytest.fixture
def whole(_wholes: list[Whole], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The shared stack, ready whatever the test before did; a new one when a process has ended."""
    if _wholes and not all(service.running for service in _wholes[0].services):
        _wholes.pop().close()
    if not _wholes:
        _wholes.append(Whole(tmp_path_factory.mktemp("whole")))
    _wholes[0].wait_ready()
    return _wholes[0]


@pytest.fixture(scope="session")
def _fronts() -> Iterator[list[Front]]:
    fronts: list[Front] = []
    yield fronts
    for front in fronts:
        front.close()


@pytest.fixture
def shared(_fronts: list[Front], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The shared front; a new one when a failed test left jobs behind."""
    if not _fronts:
        _fronts.append(Front(tmp_path_factory.mktemp("front")))
    front = _fronts[0]
    yield front
    try:
        wait_until(lambda: front.settled, "the test left no job behind")
        front.clear(front.kept)
    except AssertionError:
        _fronts.remove(front)
        front.close()
        raise


@pytest.fixture
def front(shared: Front) -> Front:
    """The shared front without any worker."""
    shared.clear()
    return shared


@pytest.fixture
def manned(shared: Front) -> Front:
    """The shared front with one worker that has the settings that users get."""
    shared.wait_ready(shared.worker0)
    return shared


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of the test's own, with nothing started yet."""
    stack = Stack(tmp_path)
    yield stack
    stack.close()
