"""What the containers may do, as Docker sees it."""

import subprocess

import pytest

from tests.system.stack import PROJECT, WEBS, Stack

SERVICES = ["nginx", *WEBS, "worker", "canary", "redis", "prometheus", "redis-exporter", "nginx-exporter"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_runs_without_root_or_privileges_on_a_read_only_root(stack: Stack, service: str) -> None:
    for container in stack.containers(service):
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert 0 < host["Memory"] <= 3 << 29 and 0 < host["PidsLimit"] <= 128
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        with open(f"/proc/{container['State']['Pid']}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        assert "0" not in fields["Uid"].split() and int(fields["CapEff"], 16) == 0


def test_only_nginx_and_prometheus_are_published_and_what_is_for_operators_on_loopback_alone(stack: Stack) -> None:
    published = {
        service: [binding["HostIp"] for bindings in container["NetworkSettings"]["Ports"].values() for binding in bindings or []]
        for service in SERVICES
        for container in stack.containers(service)
    }
    assert {service for service, addresses in published.items() if addresses} == {"nginx", "prometheus"}
    assert published["prometheus"] == ["127.0.0.1"]
    (nginx,) = stack.containers("nginx")
    assert [binding["HostIp"] for binding in nginx["NetworkSettings"]["Ports"]["8090/tcp"]] == ["127.0.0.1"]


def test_redis_lets_nobody_in_without_a_password(stack: Stack) -> None:
    said = redis_cli(stack, "PING")
    assert "NOAUTH" in said


@pytest.mark.parametrize("command", ["FLUSHALL", "KEYS *", "GET {primes}:jobs:quick", "CONFIG GET *", "XLEN {primes}:jobs:quick"])
def test_the_user_of_the_health_check_may_do_nothing_but_ping(stack: Stack, command: str) -> None:
    said = redis_cli(stack, command, login="health")
    assert "NOPERM" in said, said


def redis_cli(stack: Stack, command: str, login: str = "") -> str:
    """What redis-cli prints inside the Redis container."""
    user = f"--user {login}" if login else ""
    password = f"REDISCLI_AUTH=$(cat /run/access/{login}/password)" if login else ""
    return stack.compose("exec", "-T", "redis", "sh", "-c", f"set -f; {password} redis-cli {user} {command} 2>&1")


def test_web_processes_reach_nothing_outside_the_stack(stack: Stack) -> None:
    for network in ("front", "jobs", "watch"):
        inspected = subprocess.run(
            ["docker", "network", "inspect", f"{PROJECT}_{network}", "--format", "{{.Internal}}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert inspected.stdout.strip() == "true"
    for web in WEBS:
        assert set(stack.containers(web)[0]["NetworkSettings"]["Networks"]) == {
            f"{PROJECT}_{n}" for n in ("front", "jobs", "watch")
        }


def test_worker_scales_up_and_down(stack: Stack) -> None:
    stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "worker=3")
    assert len(stack.containers("worker")) == 3
    stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "worker=2")
    assert len(stack.containers("worker")) == 2
