"""The drill: workers are stopped, the alert reaches whoever is to be told, workers are started, it ends."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from tests.integration.waiting import wait_until
from tests.system.stack import ALERTMANAGER_PORT, PROJECT, WORKERS, Stack

FIRES = 180  # seconds until a total outage of a kind must be told
ENDS = 180
RESENT = 90  # what Prometheus could not hand to Alertmanager it tries again after a minute

# Prints every body that is posted to it.
RECEIVER = """
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", 8000), Hook).serve_forever()
"""


@pytest.fixture
def hook(stack: Stack) -> Iterator[str]:
    """The name of a container to which Alertmanager posts."""
    of_interest = 'ALERTS{alertname=~"PrimesNoWorkers|PrimesCanaryFails"}'
    wait_until(lambda: not stack.query(of_interest), "what earlier tests broke is told no more", ENDS)
    name = f"{PROJECT}-hook"
    network = f"--network={PROJECT}_operators"
    subprocess.run(
        ["docker", "run", "--detach", "--rm", "--name", name, network, "--entrypoint", "python", "primes-web", "-uc", RECEIVER],
        capture_output=True,
        check=True,
    )
    try:
        stack.compose("--profile", "alerts", "up", "--detach", "--wait", "alertmanager", ALERT_WEBHOOK=f"http://{name}:8000/")
        yield name
    finally:
        stack.compose("rm", "--stop", "--force", "alertmanager")
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=True)


def posted(hook: str) -> set[tuple[str, str]]:
    """Name and status of each alert that was posted so far."""
    log = subprocess.run(["docker", "logs", hook], capture_output=True, text=True, check=True).stdout
    bodies = (json.loads(line) for line in log.splitlines() if line)
    return {(alert["labels"]["alertname"], alert["status"]) for body in bodies for alert in body["alerts"]}


def held() -> dict[str, list[str]]:
    """The alerts that Alertmanager holds, each with what inhibits it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{ALERTMANAGER_PORT}/api/v2/alerts", timeout=10) as response:
        return {alert["labels"]["alertname"]: alert["status"]["inhibitedBy"] for alert in json.load(response)}


@pytest.mark.timeout(900)  # each wait has its own bound
def test_stopped_workers_are_told_within_three_minutes_and_started_ones_end_it(stack: Stack, hook: str) -> None:
    stack.compose("stop", "worker")
    try:
        wait_until(lambda: "PrimesNoWorkers" in stack.firing(), "Prometheus says that no worker answers", FIRES)
        wait_until(lambda: held().get("PrimesNoWorkers") == [], "Alertmanager holds the alert", RESENT)
        wait_until(lambda: ("PrimesNoWorkers", "firing") in posted(hook), "it is posted", 60)
        wait_until(lambda: "PrimesCanaryFails" in stack.firing(), "the canary misses its answers", FIRES)
        wait_until(lambda: held().get("PrimesCanaryFails"), "which Alertmanager keeps to itself", RESENT)
        assert ("PrimesCanaryFails", "firing") not in posted(hook)
    finally:
        stack.compose("start", "worker")
    stack.wait_healthy(*WORKERS)
    wait_until(lambda: "PrimesNoWorkers" not in stack.firing(), "Prometheus says that it is over", ENDS)
    wait_until(lambda: ("PrimesNoWorkers", "resolved") in posted(hook), "the end is posted", ENDS)
    assert stack.get("/primes/97")[0] == 200
