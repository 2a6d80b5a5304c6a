"""The stack files of a swarm, as the client that deploys them reads them, and what `up.sh` refuses."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.config.test_prometheus import Promtool, promtool

__all__ = ["promtool"]  # a fixture

ROOT = Path(__file__).parents[2]
SWARM = ROOT / "deploy" / "swarm"


OVER_TLS = {"tls": "TLS_FOLDER", "redis-tls": "REDIS_TLS_FOLDER"}  # each file, and the folder for which `up.sh` adds it
SERVERS = [f"redis{index}" for index in range(3)]
SENTINELS = [f"sentinel{index}" for index in range(3)]


@pytest.fixture(scope="module")
def read(compose: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Resolves the stack file with more of its files, with what `up.sh` sets."""
    script = (SWARM / "up.sh").read_text()
    digests = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*_DIGEST\b", script))
    folder = tmp_path_factory.mktemp("access")
    folders = dict.fromkeys(("ACCESS", *OVER_TLS.values()), str(folder))
    nodes = {f"NODE{index}": f"192.0.2.{index}" for index in range(3)}
    environment = {**os.environ, **nodes, **dict.fromkeys(digests, "0" * 12), **folders}
    can_read = subprocess.run(["docker", "stack", "config", "--help"], capture_output=True, check=False).returncode == 0
    reader, option = (["docker", "stack", "config"], "--compose-file") if can_read else (["docker", "compose"], "--file")

    def read(*more: str) -> dict[str, Any]:
        names = ["stack.yml", *(f"{each}.yml" for each in more)]
        text = "".join((SWARM / name).read_text() for name in names)
        for words in re.findall(r'file: "\$\{(?:ACCESS|TLS_FOLDER|REDIS_TLS_FOLDER)\}/([^"]+)"', text):
            path = folder / re.sub(r"\$\{\w+:-(.*)\}", r"\1", words)
            path.parent.mkdir(exist_ok=True)
            path.touch()
        command = [*reader, *(word for name in names for word in (option, name)), *([] if can_read else ["config"])]
        done = subprocess.run(command, cwd=SWARM, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "variable is not set" not in done.stderr, done.stderr
        return dict(yaml.safe_load(done.stdout))

    return read


@pytest.fixture(scope="module", params=[(), ("tls",), ("redis-tls",), ("tls", "redis-tls")], ids="+".join)
def stack(read: Callable[..., dict[str, Any]], request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each form that `up.sh` deploys."""
    return read(*request.param)


@pytest.fixture(scope="module")
def plain(read: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return read()


@pytest.fixture(scope="module")
def secure(read: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """With TLS wherever there can be."""
    return read(*OVER_TLS)


def given(stack: dict[str, Any]) -> dict[str, set[str]]:
    """The secrets of each service."""
    return {name: {each["source"] for each in service.get("secrets", [])} for name, service in stack["services"].items()}


def test_every_service_is_hardened_bounded_and_found_without_a_virtual_address(stack: dict[str, Any]) -> None:
    for name, service in stack["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["deploy"]["endpoint_mode"] == "dnsrr", name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name
        assert all(port["mode"] == "host" for port in service.get("ports", [])), name


def test_no_service_needs_a_file_of_its_node(stack: dict[str, Any]) -> None:
    mounted = [volume["type"] for service in stack["services"].values() for volume in service.get("volumes", [])]
    assert set(mounted) == {"volume", "tmpfs"}


def test_what_must_not_end_while_redis_is_away_is_asked_whether_it_lives(stack: dict[str, Any]) -> None:
    for name in ("web", "worker", "canary"):
        assert stack["services"][name]["healthcheck"]["test"][-1] == "starting", name
    assert "/robots.txt" in stack["services"]["nginx"]["healthcheck"]["test"][-1]


def test_a_new_process_serves_before_a_former_one_ends(stack: dict[str, Any]) -> None:
    for name in ("web", "worker"):
        update = stack["services"][name]["deploy"]["update_config"]
        assert (update["order"], update["parallelism"], update["failure_action"]) == ("start-first", 1, "rollback")
        assert stack["services"][name]["stop_grace_period"] == "30s"


def test_each_process_is_given_its_own_secrets_alone(plain: dict[str, Any]) -> None:
    secrets = given(plain)
    assert secrets["web"] == {"web-password", "operators-password", "operators-token"}
    assert secrets["worker"] == {"worker-password"}
    assert secrets["redis-exporter"] == {"exporter-passwords"}
    assert secrets["nginx"] == secrets["canary"] == secrets["prometheus"] == set()
    assert all(secrets[server] == {"users", "replica-password", "health-password"} for server in SERVERS)


def test_a_key_is_given_to_its_owner_alone_who_alone_may_read_it(plain: dict[str, Any], secure: dict[str, Any]) -> None:
    before, after = given(plain), given(secure)
    more = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    of_redis = {"redis-ca", "redis-certificate", "redis-key"}
    assert more == {
        "nginx": {"certificate", "key"},
        **{name: {"redis-ca"} for name in ("web", "worker", "redis-exporter")},
        **dict.fromkeys((*SERVERS, *SENTINELS), of_redis),
    }
    for name, service in secure["services"].items():
        for secret in service.get("secrets", []):
            if secret["source"] in ("key", "redis-key"):
                assert (secret["uid"], secret["mode"]) == (service["user"], 0o400), name


def test_over_tls_nobody_speaks_to_redis_without(plain: dict[str, Any], secure: dict[str, Any]) -> None:
    assert "redis://" in json.dumps(plain["services"]) and "rediss" not in json.dumps(plain["services"])
    services = secure["services"]
    told = json.dumps(services)
    assert "redis://" not in told and not re.search(r"(?<!rediss\+)sentinel://", told)
    for name, port in (*((server, 6379) for server in SERVERS), *((sentinel, 26379) for sentinel in SENTINELS)):
        assert f"--port 0 --tls-port {port} --tls-replication yes" in services[name]["environment"]["REDIS_OPTIONS"]


def test_tls_at_nginx_is_that_of_compose(plain: dict[str, Any], secure: dict[str, Any]) -> None:
    of_compose = yaml.safe_load((ROOT / "docker-compose.tls.yml").read_text())["services"]["nginx"]["environment"]
    before, after = (stack["services"]["nginx"] for stack in (plain, secure))
    assert after["environment"].keys() - before["environment"].keys() == of_compose.keys()
    assert [port["published"] for port in before["ports"]] == [80]
    assert [port["published"] for port in after["ports"]] == [80, 443]


def test_prometheus_watches_what_it_watches_in_compose(plain: dict[str, Any]) -> None:
    jobs, of_compose = (
        {job["job_name"]: job for job in yaml.safe_load(path.read_text())["scrape_configs"]}
        for path in (SWARM / "prometheus.yml", ROOT / "monitoring/prometheus/ha.yml")
    )
    assert jobs.keys() == of_compose.keys()
    mounted = {config["target"] for config in plain["services"]["prometheus"]["configs"]}
    rules = {f"/etc/prometheus/rules/{path.name}" for path in (ROOT / "monitoring/prometheus/rules").glob("*.yml")}
    assert mounted == {"/etc/prometheus/prometheus.yml", *rules}
    filled = [re.fullmatch(r'\{\{ env "(\w+)" \}\}', each["targets"][0]) for each in jobs["redis"]["static_configs"]]
    assert [plain["services"]["prometheus"]["environment"][name[1]] for name in filled if name] == [
        f"redis://192.0.2.{index}:6379" for index in range(3)
    ]
    assert jobs["redis"]["relabel_configs"][-1]["replacement"].partition(":")[0] in plain["services"]


def test_prometheus_takes_what_swarm_makes_of_its_configuration(promtool: Promtool, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "monitoring/prometheus/rules", tmp_path / "rules")
    text = (SWARM / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(re.sub(r"'\{\{ env \"\w+\" \}\}'", '"rediss://192.0.2.0:6379"', text))
    checked = promtool(tmp_path, "check", "config", "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def refused(folder: Path, variable: str) -> str:
    """What `up.sh` says of the certificates in this folder, before it asks an engine."""
    environment = {**os.environ, "DOCKER_HOST": f"unix://{folder}/none.sock", variable: folder.name}
    done = subprocess.run([SWARM / "up.sh"], cwd=folder.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("variable", OVER_TLS.values())
def test_certificates_that_cannot_be_are_refused_before_anything_is_deployed(tmp_path: Path, variable: str) -> None:
    folder = tmp_path / "pair"
    folder.mkdir()
    assert f"{variable}: expected a certificate in PEM, got {folder}/tls.crt" in refused(folder, variable)
    subprocess.run([ROOT / "deploy/tls.sh", folder, "192.0.2.1"], check=True, capture_output=True)
    assert "this engine is no manager of a swarm" in refused(folder, variable), "a pair is taken, from the folder of whoever calls"
    key = (folder / "tls.key").read_bytes()
    (folder / "tls.key").unlink()
    assert f"{variable}: expected the key of {folder}/tls.crt in PEM, got {folder}/tls.key" in refused(folder, variable)
    subprocess.run([ROOT / "deploy/tls.sh", folder, "192.0.2.1"], check=True, capture_output=True)
    (folder / "tls.key").write_bytes(key)
    assert f"{variable}: expected the key of {folder}/tls.crt" in refused(folder, variable)


def test_without_an_argument_that_it_knows_it_says_how_it_is_called() -> None:
    helped = subprocess.run([SWARM / "up.sh", "--help"], capture_output=True, text=True, check=True).stdout
    assert all(variable in helped for variable in ("ACCESS", *OVER_TLS.values()))
    strange = subprocess.run([SWARM / "up.sh", "--tls"], capture_output=True, text=True, check=False)
    assert (strange.returncode, strange.stdout) == (1, "")
    assert "unknown argument: --tls" in strange.stderr and helped in strange.stderr
