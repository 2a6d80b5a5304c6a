"""The compose file as Compose itself reads it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The resolved file, with every profile."""
    if not shutil.which("docker"):
        pytest.skip("there is no docker: .ci/engine/start.sh makes it available (root, Debian)")
    done = subprocess.run(
        ["docker", "compose", "--profile", "*", "config", "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "is not a docker command" in done.stderr or "unknown" in done.stderr:
        pytest.skip("docker compose is not installed: .ci/engine/start.sh makes it available")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_service_is_hardened_and_bounded(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0 and service["pids_limit"] > 0, name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name
        assert service["restart"] == ("no" if name == "access" else "unless-stopped"), name


def test_the_grace_period_is_longer_than_the_drain(compose: dict[str, Any]) -> None:
    for name in ("web0", "web1", "web2", "web3", "worker"):
        service = compose["services"][name]
        assert service["stop_grace_period"] == "30s"
        assert float(service["environment"]["PRIMES_DRAIN"]) <= 15


def test_the_four_web_services_differ_in_name_and_port_alone(compose: dict[str, Any]) -> None:
    plain = []
    for number in range(4):
        service = dict(compose["services"][f"web{number}"])
        environment = dict(service["environment"])
        assert environment.pop("PRIMES_INSTANCE") == f"web{number}"
        assert environment.pop("PRIMES_PORT") == f"800{number}"
        assert "ports" not in service  # reachable inside the stack only
        service.pop("build", None)  # one of them builds the image for all
        plain.append({**service, "environment": environment})
    assert plain[0] == plain[1] == plain[2] == plain[3]


def test_nginx_is_told_every_setting_that_its_script_reads_and_reads_what_that_prints(compose: dict[str, Any]) -> None:
    nginx = compose["services"]["nginx"]
    read = set(re.findall(r"\$\{(PRIMES_\w+)", (ROOT / "nginx/settings.sh").read_text()))
    secure = yaml.safe_load((ROOT / "docker-compose.tls.yml").read_text())["services"]["nginx"]
    assert set(nginx["environment"]) | set(secure["environment"]) == read - {"PRIMES_RESOLVER"}  # Docker's own
    shell, _, command = nginx["entrypoint"]
    written = re.fullmatch(r"sh /etc/nginx/settings.sh > (\S+) && exec nginx .*", command)
    assert shell == "sh" and written
    assert f"include {written[1]};" in (ROOT / "nginx/hosts.conf").read_text()


def with_file(more: str) -> dict[str, Any]:
    """The services that compose makes of its file and of another."""
    files = ["-f", "docker-compose.yml", "-f", f"docker-compose.{more}.yml"]
    done = subprocess.run(
        ["docker", "compose", *files, "config", "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["services"])


def usual(compose: dict[str, Any]) -> set[str]:
    return {name for name, service in compose["services"].items() if "profiles" not in service}


def test_tls_adds_a_port(compose: dict[str, Any]) -> None:
    services = with_file("tls")
    assert set(services) == usual(compose)
    assert [port["target"] for port in services["nginx"]["ports"]] == [80, 8090, 443]


def test_replicas_are_web_processes_without_a_name(compose: dict[str, Any]) -> None:
    services = with_file("replicas")
    assert set(services) == usual(compose) | {"web"}
    environment = services["web"].pop("environment")
    assert "PRIMES_INSTANCE" not in environment and environment["PRIMES_PORT"] == "8000"
    one = {key: value for key, value in compose["services"]["web0"].items() if key not in ("build", "environment")}
    assert services["web"].pop("deploy")["replicas"] == 2
    assert services["web"] == one


def test_sentinels_watch_three_servers_and_everybody_asks_them(compose: dict[str, Any]) -> None:
    services = with_file("ha")
    servers, sentinels = ("redis", "redis1", "redis2"), ("sentinel0", "sentinel1", "sentinel2")
    assert set(services) == usual(compose) | {*servers, *sentinels}
    address = {name: services[name]["networks"]["jobs"]["ipv4_address"] for name in (*servers, *sentinels)}
    assert len(set(address.values())) == 6
    for name in servers:
        assert services[name]["entrypoint"] == ["sh", "/etc/redis/node.sh", address[name], address["redis"]]
    for name in sentinels:
        assert services[name]["entrypoint"] == ["sh", "/etc/redis/sentinel.sh", address["redis"]]
    url = "sentinel://" + ",".join(f"{address[name]}:26379" for name in sentinels) + "/primes"
    asking = {name for name, service in services.items() if (service.get("environment") or {}).get("PRIMES_REDIS_URL") == url}
    assert asking == {"web0", "web1", "web2", "web3", "worker"}
    volumes = [services[name]["volumes"][0]["source"] for name in (*servers, *sentinels)]
    assert len(set(volumes)) == 6, "each has its own"
    assert all({"restart", "read_only", "cap_drop", "mem_limit"} <= services[name].keys() for name in (*servers, *sentinels))


def test_a_stand_in_exists_for_every_image_that_the_tests_start(compose: dict[str, Any]) -> None:
    listed = subprocess.run([ROOT / ".ci/images/build.sh", "--list"], capture_output=True, text=True, check=True).stdout.split()
    named = {
        service["image"]
        for name, service in compose["services"].items()
        if service.get("profiles") not in (["grafana"], ["tracing"])
    } - {
        "primes-web",
        "primes-worker",
    }
    built = {service["build"]["args"]["PYTHON_IMAGE"] for service in compose["services"].values() if "build" in service}
    assert named | built == set(listed)


def test_every_image_can_be_taken_from_elsewhere() -> None:
    for line in (ROOT / "docker-compose.yml").read_text().splitlines():
        if line.strip().startswith("image:") and "primes-" not in line:
            assert "${" in line, line
