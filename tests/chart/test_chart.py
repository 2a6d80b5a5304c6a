"""The Helm chart, as helm renders it: against the schemas of Kubernetes and of what extends it, and in nginx itself."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.access import rules
from services.jobs import names
from services.jobs.names import Lane
from services.web.settings import WebSettings
from services.worker.settings import WorkerSettings
from tests.chart.rendering import CHART, EXAMPLES, ROOT, TOOLS, Manifest, example, helm, kept_form, manifests, render
from tests.config.nginx_server import binaries, has_stub_status, version, without_stub_status

pytestmark = pytest.mark.skipif(not (TOOLS / "helm").exists(), reason="there is no helm: make chart brings it")

CUSTOM = ("ScaledObject", "TriggerAuthentication", "PrometheusRule", "ServiceMonitor")
EXTENSIONS = (*CUSTOM, "HTTPRoute")


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    """Each example by its name."""
    return {name: example(name) for name in EXAMPLES}


@pytest.fixture(scope="module")
def whole(rendered: dict[str, str]) -> list[Manifest]:
    return manifests(rendered["whole"])


def named(found: list[Manifest], kind: str, name: str) -> Manifest:
    (manifest,) = (each for each in found if each["kind"] == kind and each["metadata"]["name"] == name)
    return manifest


def workloads(found: list[Manifest]) -> list[Manifest]:
    return [manifest for manifest in found if manifest["kind"] in ("Deployment", "StatefulSet")]


def environment(manifest: Manifest) -> dict[str, Any]:
    (container, *_) = manifest["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def test_helm_finds_nothing_to_complain_of() -> None:
    for name in EXAMPLES:
        done = helm("lint", "--strict", ".", "--values", f"examples/{name}.values.yaml")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("kubernetes", ["1.34", "1.37"])
def test_kubernetes_knows_every_field(rendered: dict[str, str], tmp_path: Path, name: str, kubernetes: str) -> None:
    for number, manifest in enumerate(each for each in manifests(rendered[name]) if each["kind"] not in EXTENSIONS):
        (tmp_path / f"{number}-{manifest['kind']}.yaml").write_text(yaml.safe_dump(manifest))
    command = [TOOLS / "kubernetes-validate", "--kubernetes-version", kubernetes, "--strict", *tmp_path.iterdir()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "WARN" not in said, said


def test_a_field_that_kubernetes_does_not_know_is_found(whole: list[Manifest], tmp_path: Path) -> None:
    manifest = named(whole, "Deployment", "primes-web")
    manifest["spec"]["template"]["spec"]["terminationGraceSeconds"] = 40
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(manifest))
    command = [TOOLS / "kubernetes-validate", "--kubernetes-version", "1.37", "--strict", tmp_path / "wrong.yaml"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0


def through_types(found: list[Manifest]) -> list[Manifest]:
    command = [TOOLS / "python", "tests/chart/custom_resources.py"]
    text = yaml.safe_dump_all(found)
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return manifests(done.stdout)


def test_the_types_of_keda_and_of_prometheus_keep_every_field(whole: list[Manifest]) -> None:
    custom = [manifest for manifest in whole if manifest["kind"] in CUSTOM]
    assert {manifest["kind"] for manifest in custom} == set(CUSTOM)
    assert through_types(custom) == custom


def test_the_kept_examples_are_what_helm_renders(rendered: dict[str, str]) -> None:
    for name, text in rendered.items():
        kept = (CHART / "examples" / f"{name}.yaml").read_text()
        assert kept_form(text) == kept, f"{name}: `CHART_TOOLS=… python -m tests.chart.rendering` writes it anew"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (["web.replicas=0"], "minimum"),
        (["web.replica=2"], "replica"),
        (["redis.enabled=false"], "redis.url"),
        (["redis.enabled=false", "redis.url=localhost"], "redis/url"),
        (["ingress.enabled=true"], "trustedProxies"),
        (["logLevel=LOUD"], "logLevel"),
        (["keda.enabled=true", "keda.entriesPerWorker.slow=1"], "entriesPerWorker"),
        (["trustedProxies=10.0.0.0/8; evil"], "trustedProxies"),
        (["tracing.endpoint=collector:4318"], "tracing/endpoint"),
        (["tracing.sample=2"], "tracing/sample"),
    ],
)
def test_values_that_cannot_be_are_refused(values: list[str], complaint: str) -> None:
    done = helm("template", "primes", ".", *(word for value in values for word in ("--set", value)))
    assert done.returncode != 0
    assert complaint in done.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_pod_has_no_privileges_and_bounded_memory(rendered: dict[str, str], name: str) -> None:
    found = workloads(manifests(rendered[name]))
    assert found
    for workload in found:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False  # a Service called primes would set PRIMES_PORT
        assert {spread["topologyKey"] for spread in pod["topologySpreadConstraints"]} == {
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        }
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]


def test_each_selector_finds_the_pods_of_one_component(whole: list[Manifest]) -> None:
    pods = {each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in workloads(whole)}
    for manifest in whole:
        match manifest["kind"]:
            case "Service":
                selector = manifest["spec"]["selector"]
            case "NetworkPolicy":
                selector = manifest["spec"]["podSelector"]["matchLabels"]
            case "PodDisruptionBudget":
                selector = manifest["spec"]["selector"]["matchLabels"]
            case _:
                continue
        assert [name for name, labels in pods.items() if selector.items() <= labels.items()] == [manifest["metadata"]["name"]]


def test_every_pod_that_is_there_has_a_network_policy(rendered: dict[str, str]) -> None:
    for text in rendered.values():
        found = manifests(text)
        policies = {each["metadata"]["name"] for each in found if each["kind"] == "NetworkPolicy"}
        assert policies == {each["metadata"]["name"] for each in workloads(found)}


def test_a_pod_has_time_for_its_drain(whole: list[Manifest]) -> None:
    for name in ("web", "worker"):
        manifest = named(whole, "Deployment", f"primes-{name}")
        pod = manifest["spec"]["template"]["spec"]
        before = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod["terminationGracePeriodSeconds"] >= before + 2 * float(environment(manifest)["PRIMES_DRAIN"])
    nginx = named(whole, "Deployment", "primes-nginx")["spec"]["template"]["spec"]
    assert "worker_shutdown_timeout 15s;" in (ROOT / "nginx/nginx.conf").read_text()
    assert nginx["terminationGracePeriodSeconds"] >= nginx["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] + 2 * 15


def test_only_what_stands_is_restarted_and_only_what_is_ready_is_found(whole: list[Manifest]) -> None:
    for name in ("web", "worker", "canary"):
        (container,) = named(whole, "Deployment", f"primes-{name}")["spec"]["template"]["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert named(whole, "Service", "primes-web")["spec"]["clusterIP"] == "None"


def test_every_variable_is_a_setting_that_its_process_takes(
    whole: list[Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, settings in (("web", WebSettings), ("worker", WorkerSettings)):
        variables = environment(named(whole, "Deployment", f"primes-{name}"))
        assert {variable.removeprefix("PRIMES_").lower() for variable in variables} <= set(settings.model_fields)
        with monkeypatch.context() as changed:
            for variable, value in variables.items():
                file = variable.endswith("_FILE")  # of a secret, which no pod has mounted here
                changed.setenv(variable, __file__ if file else value or "primes-web-6c9f-x2x5z")
            settings()


def test_the_secret_has_what_the_first_start_makes(whole: list[Manifest], tmp_path: Path) -> None:
    made = {str(path.relative_to(tmp_path)) for path in rules.make(tmp_path, "redis:6379")}
    told = (CHART / "README.md").read_text()
    keys = {
        item["key"]
        for workload in workloads(whole)
        for volume in workload["spec"]["template"]["spec"].get("volumes", [])
        for item in volume.get("secret", {}).get("items", [])
    } | {ref["key"] for ref in named(whole, "TriggerAuthentication", "primes-worker")["spec"]["secretTargetRef"]}
    for key in keys:
        (source,) = [
            line.split(f"{key}=access/")[1].split()[0] for line in told.splitlines() if f"--from-file={key}=access/" in line
        ]
        assert source in made


def test_the_rules_and_the_dashboard_are_those_of_the_repository(whole: list[Manifest]) -> None:
    files = sorted((ROOT / "monitoring/prometheus/rules").glob("*.yml"))
    wanted = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    assert named(whole, "PrometheusRule", "primes")["spec"]["groups"] == wanted
    dashboards = named(whole, "ConfigMap", "primes-dashboard")["data"]
    for file in (ROOT / "monitoring/grafana/dashboards").glob("*.json"):
        assert json.loads(dashboards[file.name]) == json.loads(file.read_text())


def test_workers_are_scaled_by_the_length_of_each_lane(whole: list[Manifest]) -> None:
    scaled = named(whole, "ScaledObject", "primes-worker")["spec"]
    assert {trigger["metadata"]["stream"] for trigger in scaled["triggers"]} == {names.stream(lane) for lane in Lane}
    for trigger in scaled["triggers"]:
        assert "streamLength" in trigger["metadata"] and "consumerGroup" not in trigger["metadata"]
        assert trigger["metadata"]["username"] in rules.RULES
        assert trigger["metadata"]["address"] == "primes-redis:6379"
    assert "replicas" not in named(whole, "Deployment", "primes-worker")["spec"]  # helm would set it back


def test_websockets_have_no_end_at_the_doors(whole: list[Manifest]) -> None:
    route = named(whole, "HTTPRoute", "primes")["spec"]
    assert all(rule["timeouts"] == {"request": "0s", "backendRequest": "0s"} for rule in route["rules"])
    annotations = named(whole, "Ingress", "primes")["metadata"]["annotations"]
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > 200  # nginx' own is to end what is silent


@pytest.mark.parametrize("name", EXAMPLES)
def test_nginx_takes_its_files_as_its_pod_has_them(rendered: dict[str, str], tmp_path: Path, name: str) -> None:
    found = manifests(rendered[name])
    pod = named(found, "Deployment", "primes-nginx")["spec"]["template"]["spec"]
    maps = {each["metadata"]["name"]: each for each in found if each["kind"] == "ConfigMap"}
    (volume,) = (each for each in pod["volumes"] if each["name"] == "nginx")
    (tmp_path / "conf").mkdir()
    for source in volume["projected"]["sources"]:
        data = maps[source["configMap"]["name"]]["data"]
        paths = {item["key"]: item["path"] for item in source["configMap"].get("items", [])}
        for key, text in data.items():
            (tmp_path / paths.get(key, key)).write_text(text)
    for key, text in maps["primes-static"]["binaryData"].items():
        assert base64.b64decode(text) == (ROOT / "nginx/static" / key).read_bytes()

    variables = {key: value or "" for key, value in environment(named(found, "Deployment", "primes-nginx")).items()}
    script = subprocess.run(
        ["sh", tmp_path / "settings.sh"], env={"PATH": os.defpath, **variables}, capture_output=True, text=True, check=False
    )
    assert script.returncode == 0, script.stderr
    assert "server primes-web.primes.svc.cluster.local:8000 resolve max_fails=1" in script.stdout
    # The cluster's DNS is known only there, and nginx wants its address at once.
    (tmp_path / "settings.conf").write_text(script.stdout.replace(variables["PRIMES_RESOLVER"], "127.0.0.1:53"))
    binary = next(path for path in reversed(binaries()) if version(path) >= (1, 27, 3))
    hosts = (tmp_path / "hosts.conf").read_text().replace("/tmp/settings.conf", "settings.conf")
    (tmp_path / "hosts.conf").write_text(hosts if has_stub_status(binary) else without_stub_status(hosts))
    command = [binary, "-p", f"{tmp_path}/", "-c", tmp_path / "nginx.conf", "-e", "stderr", "-t"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "syntax is ok" in done.stderr, done.stderr


def test_a_release_of_another_name_finds_its_own_parts() -> None:
    done = helm("template", "other", ".", "--namespace", "elsewhere")
    assert done.returncode == 0, done.stderr
    found = manifests(done.stdout)
    assert environment(named(found, "Deployment", "other-nginx"))["PRIMES_WEB_SERVERS"] == (
        "other-web.elsewhere.svc.cluster.local:8000"
    )
    assert environment(named(found, "Deployment", "other-web"))["PRIMES_REDIS_URL"] == "redis://other-redis:6379"


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://collector:4318/v1/traces", 4318),
        ("https://collector/v1/traces", 443),
        ("http://collector/v1/traces", 80),
        ("", None),
    ],
)
def test_traces_go_where_the_policies_of_web_and_worker_let_them(endpoint: str, port: int | None) -> None:
    found = manifests(render("--set", f"tracing.endpoint={endpoint}", "--set", "tracing.namespace=tracing"))
    collector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tracing"}}}
    for part in ("web", "worker"):
        ways = named(found, "NetworkPolicy", f"primes-{part}")["spec"]["egress"]
        assert [way["ports"] for way in ways if way.get("to") == [collector]] == ([[{"port": port}]] if endpoint else [])
        told = environment(named(found, "Deployment", f"primes-{part}"))
        assert told.get("PRIMES_TRACES", "") == endpoint


def test_no_image_names_a_registry() -> None:
    images = yaml.safe_load((CHART / "values.yaml").read_text())["images"]
    assert all("." not in image.split("/")[0].split(":")[0] for image in images.values())
    moved = render("--set", "images.web=registry.example.org/team/primes-web:7")
    assert "image: registry.example.org/team/primes-web:7" in moved
