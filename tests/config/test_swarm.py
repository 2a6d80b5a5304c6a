"""The stack file of a swarm, as the client that deploys it reads it."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SWARM = ROOT / "deploy" / "swarm"

pytestmark = pytest.mark.containers  # the client of an engine reads it


@pytest.fixture(scope="module")
def stack(compose: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The resolved file, with what `up.sh` sets."""
    script = (SWARM / "up.sh").read_text()
    digests = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*_DIGEST\b", script))
    access = tmp_path_factory.mktemp("access")
    nodes = {f"NODE{index}": f"192.0.2.{index}" for index in range(3)}
    environment = {**os.environ, **nodes, **dict.fromkeys(digests, "0" * 12), "ACCESS": str(access)}
    for words in re.findall(r'file: "\$\{ACCESS\}/([^"]+)"', (SWARM / "stack.yml").read_text()):
        (access / words).parent.mkdir(exist_ok=True)
        (access / words).touch()
    can_read = subprocess.run(["docker", "stack", "config", "--help"], capture_output=True, check=False).returncode == 0
    reader = ["docker", "stack", "config", "--compose-file"] if can_read else ["docker", "compose", "--file"]
    command = [*reader, "stack.yml", *([] if can_read else ["config"])]
    done = subprocess.run(command, cwd=SWARM, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr, done.stderr
    return yaml.safe_load(done.stdout)


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


def test_each_process_is_given_its_own_secrets_alone(stack: dict[str, Any]) -> None:
    given = {name: {each["source"] for each in service.get("secrets", [])} for name, service in stack["services"].items()}
    assert given["web"] == {"web-password", "operators-password", "operators-token"}
    assert given["worker"] == {"worker-password"}
    assert given["nginx"] == given["canary"] == given["prometheus"] == set()
    assert all(given[f"redis{index}"] == {"users", "replica-password", "health-password"} for index in range(3))
