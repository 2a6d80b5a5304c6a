"""What a failover lacks is caused for real: servers and Sentinels, an exporter that reads them, the rules on what it tells."""

import asyncio
import contextlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from services.broker.connection import connect
from services.broker.sentinel import PrimaryPool
from services.runtime.settings import Settings
from tests.config.test_prometheus import PROMETHEUS, Promtool, promtool
from tests.integration.failover import HOST, Failover, Node
from tests.integration.processes import Program
from tests.integration.waiting import wait_until
from tests.ports import free_port

__all__ = ["promtool"]  # a fixture

EXPORTER = "prometheus-redis-exporter"
READ = {"redis_up", "redis_connected_slaves", "redis_connected_slave_lag_seconds", "redis_instance_info"}
RULES = "alerts.yml"
ALERTS = ("PrimesRedisNoFailover", "PrimesSentinelsTooFew", "PrimesRedisReplicaLags", "PrimesRedisTwoPrimaries")

Sample = tuple[str, dict[str, str], float]


class Watched:
    """Three servers, three Sentinels, and an exporter that reads the servers."""

    def __init__(self, folder: Path, exporter: str) -> None:
        self.servers = Failover(folder)
        self._folder = folder
        shutil.copy(PROMETHEUS / "rules" / RULES, folder)  # promtool in a container sees this folder alone
        access = folder / "access"
        password = json.loads((access / "exporter" / "passwords.json").read_text()).popitem()[1]
        passwords = folder / "passwords.json"
        targets = [f"redis://{user}{HOST}:{node.port}" for node in self.servers.nodes for user in ("", "exporter@")]
        passwords.write_text(json.dumps(dict.fromkeys(targets, password)))  # versions differ in how they look it up
        self._port = free_port()
        command = [
            exporter,
            "-redis.user=exporter",
            f"-redis.password-file={passwords}",
            f"-web.listen-address={HOST}:{self._port}",
        ]
        self._program = Program("exporter", [*command, "-redis.addr="], folder / "exporter.log")
        wait_until(self.samples, "the exporter reads the servers")

    def samples(self, *nodes: Node) -> list[Sample]:
        """What the rules read of these servers, or of all, as Prometheus labels it."""
        found: list[Sample] = []
        for node in nodes or self.servers.nodes:
            with urlopen(f"http://{HOST}:{self._port}/scrape?target={HOST}:{node.port}", timeout=20) as answer:
                families = text_string_to_metric_families(answer.read().decode())
            read = [sample for family in families for sample in family.samples if sample.name in READ]
            found += [(each.name, {**each.labels, "job": "redis", "instance": node.name}, each.value) for each in read]
        return found

    def until(self, condition: Callable[[list[Sample]], bool], description: str, *nodes: Node) -> list[Sample]:
        """What the rules read once it is so."""
        return wait_until(lambda: found if condition(found := self.samples(*nodes)) else [], description)

    def replicas(self) -> list[Node]:
        primary = self.servers.primary()
        return [node for node in self.servers.nodes if node is not primary]

    def firing(self, promtool: Promtool, samples: list[Sample]) -> set[str]:
        """The alerts that fire once it has been so for three minutes."""
        series = [{"series": name + _labels(labels), "values": f"{value}x40"} for name, labels, value in samples]
        fired = set()
        for alert in ALERTS:
            quiet = {"alertname": alert, "eval_time": "3m", "exp_alerts": []}
            test = {"interval": "5s", "input_series": series, "alert_rule_test": [quiet]}
            rules = {"rule_files": [RULES], "evaluation_interval": "5s", "tests": [test]}
            (self._folder / "test.yml").write_text(json.dumps(rules))  # YAML is JSON too
            answer = promtool(self._folder, "test", "rules", "test.yml")
            told = answer.stdout + answer.stderr
            assert answer.returncode == 0 or alert in told, told
            if answer.returncode:
                fired.add(alert)
        return fired

    def close(self) -> None:
        self._program.close()
        self.servers.close()


def _labels(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, promtool: Promtool) -> Iterator[Watched]:
    exporter = shutil.which(EXPORTER)
    if not exporter:
        pytest.skip(f"no {EXPORTER} in PATH (Debian has it)")
    watched = Watched(tmp_path_factory.mktemp("watched"), exporter)
    yield watched
    watched.close()


@pytest.fixture
def watched(started: Watched) -> Watched:
    started.servers.wait_until_whole()
    return started


def total(samples: list[Sample], name: str) -> float:
    return sum(value for each, _, value in samples if each == name)


def replicas_keep_up(samples: list[Sample], count: int) -> bool:
    """Whether so many are connected, none of which lags at this moment: the rules see the moment for minutes."""
    lags = [value for name, _, value in samples if name == "redis_connected_slave_lag_seconds"]
    return total(samples, "redis_connected_slaves") == len(lags) == count and max(lags) <= 1


def test_nothing_fires_while_all_is_well(watched: Watched, promtool: Promtool) -> None:
    samples = watched.until(lambda samples: replicas_keep_up(samples, 2), "both replicas are told of")
    assert watched.firing(promtool, [*samples, *sentinels(watched)]) == set()


def test_a_replica_that_is_gone_leaves_no_failover(watched: Watched, promtool: Promtool) -> None:
    node = watched.replicas()[0]
    assert node.program
    node.program.kill()
    try:
        samples = watched.until(lambda samples: replicas_keep_up(samples, 1), "one replica is left")
        assert watched.firing(promtool, samples) == {"PrimesRedisNoFailover"}
    finally:
        node.start()


def test_a_primary_that_is_left_alone_has_no_failover(watched: Watched, promtool: Promtool) -> None:
    nodes = watched.replicas()
    with killed(*nodes):
        samples = watched.until(lambda samples: total(samples, "redis_up") == 1, "one server is left")
        assert watched.firing(promtool, samples) == {"PrimesRedisNoFailover"}


def test_a_replica_that_stands_still_lags(watched: Watched, promtool: Promtool) -> None:
    node, primary = watched.replicas()[0], watched.servers.primary()
    assert node.program
    node.program.send(signal.SIGSTOP)
    try:
        samples = watched.until(lambda samples: total(samples, "redis_connected_slave_lag_seconds") > 4, "it lags", primary)
        assert "PrimesRedisReplicaLags" in watched.firing(promtool, samples)
    finally:
        node.program.send(signal.SIGCONT)


def test_two_servers_that_call_themselves_the_primary_are_told_of(watched: Watched, promtool: Promtool) -> None:
    """Sentinels, which would end it, are away."""
    node = watched.replicas()[0]
    with without(*watched.servers.sentinels):
        node.client("sentinel", watched.servers.password_file("redis").with_name("sentinel-password")).replicaof("NO", "ONE")
        samples = watched.until(
            lambda samples: sum(labels.get("role") == "master" for _, labels, _ in samples) == 2, "two are primaries"
        )
        assert "PrimesRedisTwoPrimaries" in watched.firing(promtool, samples)


def test_sentinels_too_few_to_choose_are_told_of_by_those_that_ask_them(watched: Watched, promtool: Promtool) -> None:
    sentinels(watched)
    with without(*watched.servers.sentinels[1:]):
        assert watched.firing(promtool, sentinels(watched)) == {"PrimesSentinelsTooFew"}


@contextlib.contextmanager
def killed(*nodes: Node, options: tuple[str, ...] = ()) -> Iterator[None]:
    """These are killed, and come back."""
    for node in nodes:
        assert node.program
        node.program.kill()
    try:
        yield
    finally:
        for node in nodes:
            node.start(*options)


def without(*sentinels: Node) -> contextlib.AbstractContextManager[None]:
    """Without these."""
    return killed(*sentinels, options=("--sentinel",))


def sentinels(watched: Watched) -> list[Sample]:
    """What a process that asks Sentinels tells of them."""

    async def look() -> None:
        password = watched.servers.password_file("worker")
        access: dict[str, Any] = {"sentinel_user": "worker", "sentinel_password_file": password}
        client = connect(Settings(redis_url=watched.servers.url, _cli_parse_args=[], **access))
        assert isinstance(client.connection_pool, PrimaryPool)
        await client.connection_pool.get_master_address()  # type: ignore[no-untyped-call]  # redis-py's own
        await client.aclose()

    asyncio.run(look())
    names = ("primes_redis_sentinels", "primes_redis_sentinels_needed")
    return [(name, {"job": "web", "instance": "web0"}, REGISTRY.get_sample_value(name) or 0.0) for name in names]
