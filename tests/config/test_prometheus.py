"""Prometheus takes its files, the alerts do what they say, and rules and dashboard ask for series that exist."""

import ast
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
from prometheus_client import generate_latest

from reference import metrics
from services.web.operators.queries import QUERIES
from tests.config.dashboard import dashboard_queries

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
RULES = sorted(PROMETHEUS.glob("rules/*.yml"))
RULE_TESTS = sorted(PROMETHEUS.glob("tests/*.yml"))
DASHBOARDS = sorted(MONITORING.glob("grafana/dashboards/*.json"))
IMAGE = os.environ.get("PROMETHEUS_IMAGE", "prom/prometheus:v3.5.3")

# What others export and rules or dashboards read: Prometheus itself, redis_exporter, nginx-prometheus-exporter.
FOREIGN = {
    *("up", "ALERTS"),
    *("redis_memory_used_bytes", "redis_memory_max_bytes", "redis_commands_processed_total"),
    *("redis_up", "redis_connected_slaves", "redis_connected_slave_lag_seconds", "redis_instance_info"),
    *("nginx_up", *(f"nginx_connections_{state}" for state in ("active", "reading", "writing", "waiting"))),
}

Promtool = Callable[..., subprocess.CompletedProcess[str]]


def rules() -> list[dict[str, Any]]:
    """All recording and alerting rules."""
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def expressions() -> list[tuple[str, str]]:
    """Where it stands and what it says, for each PromQL expression in rules, dashboards and the operators' page."""
    named = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
    page = [(f"operators' page: {query.figure}", query.expr.replace("WINDOW", "60s")) for query in QUERIES]
    return named + page + [query for path in DASHBOARDS for query in dashboard_queries(path)]


def exported() -> set[str]:
    """The series that web and worker export, read from where their code makes the metrics."""
    names = set()
    for path in ROOT.glob("services/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name("Histogram" | "BatchHistogram"), args=[ast.Constant(str(name)), *_]):
                    names |= {name + suffix for suffix in ("_bucket", "_sum", "_count")}
                case ast.Call(func=ast.Name("Counter" | "Gauge"), args=[ast.Constant(str(name)), *_]):
                    names.add(name)
    return names


def metric_names(expr: str) -> set[str]:
    """The series that an expression reads: its words without strings, labels, durations, functions and keywords."""
    expr = re.sub(r'"[^"]*"', "", expr)
    expr = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", expr)
    expr = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", expr)
    words = re.findall(r"(?<![\w.:])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()", expr)
    return set(words) - {"and", "or", "unless", "bool", "offset"}


def run_promtool(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool in a folder on `text`: the one from PATH, else the one of Prometheus' own image."""
    user = f"{os.getuid()}:{os.getgid()}"  # pytest's folders can be read by their owner alone
    container = [
        "docker",
        "run",
        "--rm",
        "--interactive",
        "--network=none",
        f"--user={user}",
        f"--volume={folder}:/files:ro",
        "--workdir=/files",
    ]
    command = ["promtool"] if shutil.which("promtool") else [*container, "--entrypoint=promtool", IMAGE]
    return subprocess.run([*command, *arguments], cwd=folder, input=text, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def promtool() -> Promtool:
    """`run_promtool`, where there is one to run."""
    try:
        answer = run_promtool(PROMETHEUS, "--version")
        complaint = answer.stderr if answer.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        complaint = str(error)
    if complaint is not None:
        pytest.skip(f"no promtool in PATH (Debian's prometheus has it), and {IMAGE} does not run: {' '.join(complaint.split())}")
    return run_promtool


def succeeds(answer: subprocess.CompletedProcess[str]) -> bool:
    """Whether promtool agreed; what it said goes to the test's report."""
    print(answer.stdout, answer.stderr)
    return answer.returncode == 0


@pytest.mark.parametrize("config", ["prometheus.yml", "replicas.yml", "ha.yml", "local.yml"])
def test_prometheus_takes_the_configuration(promtool: Promtool, config: str) -> None:
    assert succeeds(promtool(PROMETHEUS, "check", "config", config))


def test_three_servers_of_redis_add_to_their_job_and_to_nothing_else() -> None:
    usual, with_three = (yaml.safe_load((PROMETHEUS / name).read_text())["scrape_configs"] for name in ("prometheus.yml", "ha.yml"))
    (of_one,), (of_three,) = ([job for job in jobs if job["job_name"] == "redis"] for jobs in (usual, with_three))
    assert of_three["static_configs"][0]["targets"] == ["redis:6379", "redis1:6379", "redis2:6379"]
    assert of_three["relabel_configs"][-1]["replacement"] == of_one["static_configs"][0]["targets"][0]
    assert [job for job in usual if job is not of_one] == [job for job in with_three if job is not of_three]


def test_replicas_add_to_the_web_processes_and_to_nothing_else() -> None:
    usual, with_replicas = (yaml.safe_load((PROMETHEUS / name).read_text()) for name in ("prometheus.yml", "replicas.yml"))
    web = with_replicas["scrape_configs"][0]
    assert web.pop("dns_sd_configs")[0]["names"] == ["web"]
    assert web["relabel_configs"].pop()["replacement"] == "web-$1"
    assert with_replicas == usual


def test_prometheus_takes_the_rules(promtool: Promtool) -> None:
    assert succeeds(promtool(PROMETHEUS, "check", "rules", *(f"rules/{path.name}" for path in RULES)))


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_do_what_their_tests_say(promtool: Promtool, path: Path) -> None:
    assert succeeds(promtool(PROMETHEUS, "test", "rules", f"tests/{path.name}"))


def test_names_and_units_of_the_metrics_are_as_prometheus_wants_them(promtool: Promtool) -> None:
    assert metrics.metrics()  # all are made
    assert succeeds(promtool(PROMETHEUS, "check", "metrics", text=generate_latest().decode()))


def test_every_alert_is_tested_firing_and_quiet() -> None:
    outcomes = {
        (case["alertname"], bool(case["exp_alerts"]))
        for path in RULE_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
    }
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert outcomes == {(alert, fires) for alert in alerts for fires in (True, False)}


def test_every_alert_says_how_bad_it_is_and_what_to_do_first() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
            assert set(rule["annotations"]) == {"summary", "action", "runbook"}, rule["alert"]


def test_every_alert_has_its_runbook_and_no_other_is_there() -> None:
    named = {rule["alert"]: rule["annotations"]["runbook"] for rule in rules() if "alert" in rule}
    assert named == {path.stem: str(path.relative_to(ROOT)) for path in ROOT.glob("docs/runbooks/*.md")}
    for path in named.values():
        headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), re.MULTILINE)
        assert headings == [Path(path).stem, "What it means", "How to see it", "What to do", "How to make it happen"], path
        assert all(section.strip() for section in re.split(r"^#+ .*$", (ROOT / path).read_text(), flags=re.MULTILINE)[2:]), path


def test_series_that_a_runbook_names_exist() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    series = {re.sub("_(bucket|sum|count)$", "", name) for name in exported() | recorded | FOREIGN}
    for path in ROOT.glob("docs/runbooks/*.md"):
        for name in re.findall(r"(?<![\w/])(?:[a-z_]+:)?primes_[\w:]+|\bredis_memory\w+", path.read_text()):
            assert name in series, (path.name, name)


def test_prometheus_can_parse_every_dashboard_query(promtool: Promtool, tmp_path: Path) -> None:
    # As rules, since every promtool can check those; `promql format` is newer than Debian 12's. JSON is YAML too.
    queries = [{"record": "query", "labels": {"panel": title}, "expr": expr} for title, expr in expressions()]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": queries}]}))
    assert succeeds(promtool(tmp_path, "check", "rules", "queries.yml"))


def test_rules_and_dashboards_read_series_that_exist() -> None:
    known = exported() | FOREIGN | {rule["record"] for rule in rules() if "record" in rule}
    unknown = {(where, name) for where, expr in expressions() for name in metric_names(expr) if name not in known}
    assert not unknown


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ('sum by (lane) (rate(a_total{b="c{d}"}[1m])) / on (e) group_left (f) max(g:h:i)', {"a_total", "g:h:i"}),
        ('1e3 * histogram_quantile(0.99, sum(j_bucket) by (le)) > 0.5 and k{l=~".*"} offset 5m or vector(0)', {"j_bucket", "k"}),
    ],
)
def test_metric_names_are_told_from_the_rest_of_an_expression(expr: str, names: set[str]) -> None:
    assert metric_names(expr) == names


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_their_own_place_and_the_provisioned_source(path: Path) -> None:
    [source] = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    panels = json.loads(path.read_text())["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24  # Grafana's columns
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["datasource"]["uid"] == source["uid"] for panel in panels if panel["type"] != "row")
