"""What operators see, from the real Prometheus."""

import json
import math
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from services.web.operators.queries import QUERIES
from tests.config.dashboard import dashboard_queries
from tests.integration.plain_clients import ask_all, expect
from tests.integration.waiting import wait_until
from tests.system.stack import PROMETHEUS_PORT, ROOT, WEBS, Stack

DASHBOARD = ROOT / "monitoring" / "grafana" / "dashboards" / "primes.json"


def targets() -> list[dict[str, Any]]:
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


def test_nginx_tells_of_its_connections_itself_what_the_exporter_tells(stack: Stack) -> None:
    told = stack.compose("exec", "-T", "nginx", "curl", "-fsS", "http://127.0.0.1:8081/metrics")
    states = [sample.name for family in text_string_to_metric_families(told) for sample in family.samples if sample.value >= 0]
    assert states == [f"nginx_connections_{state}" for state in ("active", "reading", "writing", "waiting")]


def test_every_query_of_the_dashboard_and_the_operators_page_returns_a_number(stack: Stack) -> None:
    assert ask_all([(stack.socket, [expect(7, True), expect(10**400, False)])] * 20).clean
    page = [(query.figure, query.expr.replace("WINDOW", "60s")) for query in QUERIES]
    empty = [*dashboard_queries(DASHBOARD), *page]
    assert len(empty) >= 40

    def all_filled() -> bool:
        for asked in list(empty):
            if any(math.isfinite(float(sample["value"][1])) for sample in stack.query(asked[1])):
                empty.remove(asked)
        assert not empty, f"no number for {empty}"  # told when time is up
        return True

    wait_until(all_filled, "a number for every query", 90)


def test_no_alert_fires_on_a_healthy_stack_but_for_what_tests_left_behind(stack: Stack) -> None:
    # The tests before this one broke the stack under load: dead letters that nobody removed, budgets that look back an hour.
    left = {"PrimesDeadLetters", "PrimesBudgetBurnsFast", "PrimesBudgetBurns", "PrimesBudgetBurnsSlowly"}
    wait_until(lambda: not stack.firing() - left, "no alert fires that looks at the present", 180)
