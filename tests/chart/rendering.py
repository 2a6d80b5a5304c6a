"""What helm makes of the chart, and the form in which examples of it are kept in the repository."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart"
EXAMPLES = sorted(path.name.removesuffix(".values.yaml") for path in CHART.glob("examples/*.values.yaml"))
# Where `make chart` put helm and what checks with it.
TOOLS = ROOT / os.environ.get("CHART_TOOLS", ".venv/chart") / "bin"

Manifest = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / "helm", *arguments], cwd=CHART, capture_output=True, text=True, timeout=60, check=False)


def render(*options: str) -> str:
    """The manifests as helm writes them; fails with what helm said."""
    done = helm("template", "primes", ".", "--namespace", "primes", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def example(name: str) -> str:
    return render("--values", f"examples/{name}.values.yaml")


def manifests(text: str) -> list[Manifest]:
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def kept_form(text: str) -> str:
    """In the order of kind and name, and without what stands elsewhere in the repository: files, rules, and their digests."""
    found = sorted(manifests(text), key=lambda manifest: (manifest["kind"], manifest["metadata"]["name"]))
    for manifest in found:
        for field in ("data", "binaryData"):
            if field in manifest:
                manifest[field] = dict.fromkeys(sorted(manifest[field]), "…")
        if manifest["kind"] == "PrometheusRule":
            manifest["spec"]["groups"] = [group["name"] for group in manifest["spec"]["groups"]]
        manifest.get("spec", {}).get("template", {}).get("metadata", {}).pop("annotations", None)
    return yaml.safe_dump_all(found, allow_unicode=True, width=132)


def main() -> None:
    """Write the examples anew."""
    for name in EXAMPLES:
        (CHART / "examples" / f"{name}.yaml").write_text(kept_form(example(name)))


if __name__ == "__main__":
    main()
