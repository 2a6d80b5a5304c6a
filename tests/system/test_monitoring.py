"""What operators see, from the real Prometheus."""

import json
import urllib.request

from tests.config.dashboard import dashboard_queries
from tests.integration.clients import ask_all, expect
from tests.system.stack import PROMETHEUS_PORT, ROOT, WEBS, Stack, wait_until

DASHBOARD = ROOT / "monitoring" / "grafana" / "dashboards" / "primes.json"


def targets() -> list[dict[str, str]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/targets?state=active", timeout=10) as response:
        return json.load(response)["data"]["activeTargets"]


def test_every_target_is_up_and_replicas_are_found_by_name(stack: Stack) -> None:
    expected = ["canary", "nginx", "prometheus", "redis", *["web"] * len(WEBS), *["worker"] * 2]

    def up() -> bool:
        return sorted(t["labels"]["job"] for t in targets() if t["health"] == "up") == expected

    wait_until(up, f"the targets that are up are {expected}", 60)


def test_the_exporters_reach_what_they_watch(stack: Stack) -> None:
    wait_until(lambda: stack.total("redis_up") == 1, "the exporter reaches Redis")
    wait_until(lambda: stack.total("nginx_up") == 1, "the exporter reaches nginx")


def test_every_query_of_the_dashboard_returns_data(stack: Stack) -> None:
    assert ask_all([(stack.socket, [expect(7, True), expect(10**400, False)])] * 20).clean
    empty = dict(dashboard_queries(DASHBOARD))
    assert len(empty) >= 10

    def all_filled() -> bool:
        for title, expression in list(empty.items()):
            if stack.query(expression):
                del empty[title]
        return not empty

    wait_until(all_filled, f"data for {empty}", 60)


def test_no_alert_fires_on_a_healthy_stack_but_for_what_tests_left_behind(stack: Stack) -> None:
    # The tests before this one broke the stack under load: dead letters that nobody removed, budgets that look back an hour.
    left = {"PrimesDeadLetters", "PrimesBudgetBurnsFast", "PrimesBudgetBurns", "PrimesBudgetBurnsSlowly"}
    wait_until(lambda: not stack.firing() - left, "no alert fires that looks at the present", 180)
